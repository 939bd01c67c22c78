-- target: refused axiom
--- head
axiom Classical.choice {A : Sort u} : Nonempty A → A ==> axiom Classical.choice {A : Prop} : Nonempty A → A
--- statement
theorem target (p : Prop) (h : Nonempty p) : p := sorryAx _ Bool.true
--- proof
theorem target (p : Prop) (h : Nonempty p) : p := Classical.choice h
