-- target: accepted
--- statement
theorem target.{u, v} (A : Type u) (B : Type v) (x : Prod A B) : Nonempty A := sorryAx _ Bool.true
--- proof
theorem target.{v, w} (A : Type v) (B : Type w) (x : Prod A B) : Nonempty A := Nonempty.intro (Prod.fst x)
