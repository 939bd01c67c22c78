-- target: refused statement_mismatch
--- statement
theorem target : Eq (Nat.add 1 1) 3 := sorryAx _ Bool.true
--- proof
theorem target : Eq (Nat.add 1 2) 3 := Eq.refl _
