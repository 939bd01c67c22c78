-- target: accepted
--- statement
private def P (n : Nat) : Prop := Eq n n
private structure S where
  field : Nat
theorem target (s : S) : P (S.field s) := sorryAx _ Bool.true
--- proof
private def P (n : Nat) : Prop := Eq n n
private structure S where
  field : Nat
theorem target (s : S) : P (S.field s) := Eq.refl _
