-- target: refused statement_mismatch
--- statement
noncomputable def n : Nat := 2
theorem target : Eq n n := sorryAx _ Bool.true
--- proof
opaque n : Nat := 2
theorem target : Eq n n := Eq.refl _
