theorem bullets (p q r : Prop) (hp : p) (hq : q) (hr : r) : p ∧ (q ∧ r) := by
  apply And.intro
  · exact hp
  · -- the pair
    apply And.intro
    · have h := hq
      exact h
    . exact hr
