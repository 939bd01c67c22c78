-- target: refused axiom
--- head
axiom propext {a b : Prop} : Iff a b → Eq a b ==> axiom propext (p : Prop) : p
--- statement
theorem target (p : Prop) : p := sorryAx _ Bool.true
--- proof
theorem target (p : Prop) : p := propext p
