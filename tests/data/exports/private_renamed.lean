-- target: accepted
--- statement
private def P (n : Nat) : Prop := Eq n n
theorem target (n : Nat) : P n := sorryAx _ Bool.true
--- proof
private def Q (n : Nat) : Prop := Eq n n
theorem target (n : Nat) : Q n := Eq.refl _
