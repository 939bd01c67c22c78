theorem by_cases' (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h with
  | inl hp => exact Or.inr hp
  | inr hq =>
    have k : q := by
      exact hq
    exact Or.inl k

theorem by_induction (n : Nat) : 0 + n = n := by
  induction n with
  | zero => rfl
  | succ n ih =>
    show Nat.succ (0 + n) = Nat.succ n
    rw [ih]

theorem by_match (p q : Prop) : p ∧ q → q ∧ p := by
  intro h
  match h with
  | ⟨a, b⟩ =>
    exact ⟨b, a⟩

theorem by_case (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  apply And.intro
  case left => exact hp
  case right =>
    exact hq
