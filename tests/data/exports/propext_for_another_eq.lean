-- target: refused axiom
--- head
  | refl (a : A) : Eq a a ==>   | refl (a b : A) : Eq a b
init_quot ==> axiom Quot.{u} (A : Sort u) (r : A → A → Prop) : Sort u
axiom Quot.mk.{u} {A : Sort u} (r : A → A → Prop) (a : A) : Quot A r
axiom Quot.sound {A : Sort u} {r : A → A → Prop} {a b : A} : r a b → Eq (Quot.mk r a) (Quot.mk r b) ==>
--- statement
theorem target (p q : Prop) (h : Iff p q) : Eq p q := sorryAx _ Bool.true
--- proof
theorem target (p q : Prop) (h : Iff p q) : Eq p q := propext h
