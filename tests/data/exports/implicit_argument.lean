-- target: refused statement_mismatch
--- statement
theorem target (n : Nat) : Eq n n := sorryAx _ Bool.true
--- proof
theorem target {n : Nat} : Eq n n := Eq.refl n
