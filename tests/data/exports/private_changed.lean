-- target: refused statement_mismatch
--- statement
private def P (n : Nat) : Prop := Eq n 1
theorem target (n : Nat) : P n := sorryAx _ Bool.true
--- proof
private def P (n : Nat) : Prop := Eq n n
theorem target (n : Nat) : P n := Eq.refl _
