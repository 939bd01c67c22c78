-- target: refused statement_mismatch
--- statement
theorem target.{u, v} (A : Type u) (B : Type v) (x : Prod A B) : Nonempty A := sorryAx _ Bool.true
--- proof
theorem target.{v, u} (A : Type u) (B : Type v) (x : Prod A B) : Nonempty A := Nonempty.intro (Prod.fst x)
