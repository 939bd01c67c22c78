-- target: accepted
--- statement
theorem target (p q : Prop) (h : Iff p q) : And (Eq p q) (And (Nonempty p → p) (Eq (Quot.mk Iff p) (Quot.mk Iff q))) := sorryAx _ Bool.true
--- proof
theorem target (p q : Prop) (h : Iff p q) : And (Eq p q) (And (Nonempty p → p) (Eq (Quot.mk Iff p) (Quot.mk Iff q))) :=
  And.intro (propext h) (And.intro Classical.choice (Quot.sound h))
