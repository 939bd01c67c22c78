-- target: refused statement_mismatch
--- statement
theorem target : Eq "a" "b" := sorryAx _ Bool.true
--- proof
theorem target : Eq "b" "b" := Eq.refl _
