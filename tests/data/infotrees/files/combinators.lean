theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  apply And.intro <;> assumption

theorem parens (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  (apply And.intro; exact hp; exact hq)

theorem all (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  apply And.intro
  allGoals (try rfl)
  allGoals
    first
      | rfl
      | assumption

theorem mixed (p q : Prop) (hp : p) (hq : q) : (p ∧ q) ∧ p := by
  (apply And.intro; skip) <;> try exact hp
  · apply And.intro <;> (try rfl) <;> assumption
