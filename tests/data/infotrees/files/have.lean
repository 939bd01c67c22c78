/- A comment before. -/
theorem have_nested (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  -- first we show (p
  have h : p := by
    /- nested /- comment -/ with ⟨ brackets -/
    exact hp -- trailing )
  have g : q := hq; have k : p := by exact h
  -- and now both
  exact And.intro k g

theorem second (α : Type) (a b : α) (h : a = b) : b = a := by
  show b = a; focus
    exact h.symm
