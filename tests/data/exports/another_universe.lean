-- target: refused statement_mismatch
--- statement
theorem target (A : Type 1) (a : A) : Nonempty A := sorryAx _ Bool.true
--- proof
theorem target (A : Type) (a : A) : Nonempty A := Nonempty.intro a
