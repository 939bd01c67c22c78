-- target: refused axiom
--- head
structure Iff (a b : Prop) : Prop where ==> structure Iff' (a b : Prop) : Prop where
structure And (a b : Prop) : Prop where ==> inductive Iff (a b : Prop) : Prop where | intro
structure And (a b : Prop) : Prop where
--- statement
theorem target (p q : Prop) : Eq p q := sorryAx _ Bool.true
--- proof
theorem target (p q : Prop) : Eq p q := propext Iff.intro
