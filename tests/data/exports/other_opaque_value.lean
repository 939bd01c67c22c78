-- target: refused statement_mismatch
--- statement
opaque n : Nat := 2
theorem target : Eq n n := sorryAx _ Bool.true
--- proof
opaque n : Nat := 3
theorem target : Eq n n := Eq.refl _
