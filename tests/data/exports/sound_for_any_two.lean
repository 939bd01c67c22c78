-- target: refused axiom
--- head
axiom Quot.sound {A : Sort u} {r : A → A → Prop} {a b : A} : r a b → Eq (Quot.mk r a) (Quot.mk r b) ==> axiom Quot.sound {A : Sort u} {r : A → A → Prop} {a b : A} : Eq (Quot.mk r a) (Quot.mk r b)
--- statement
theorem target (p q : Prop) : Eq (Quot.mk Iff p) (Quot.mk Iff q) := sorryAx _ Bool.true
--- proof
theorem target (p q : Prop) : Eq (Quot.mk Iff p) (Quot.mk Iff q) := Quot.sound
