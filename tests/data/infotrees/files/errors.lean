theorem wrong (p q : Prop) (hp : p) : p ∧ q := by
  apply And.intro
  · exact hp
  · have h : q := by
      exact hp
    exact h

theorem unfinished (p : Prop) : p := by
  skip
  sorry
