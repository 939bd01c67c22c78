theorem in_brackets (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  exact ⟨by exact hp, (by
    exact hq)⟩

theorem half (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨by exact hp, by
  exact hq⟩

theorem in_fun (p : Nat → Prop) (h : ∀ n, p n) : ∀ n, p n := by
  exact fun n => by
    exact h n

theorem without (p : Prop) (h : p) : p := h

theorem rewrites (a b c : Nat) (h : a = b) (g : b = c) : a = c := by
  rw [h,
    g]

theorem βγ («a b» : Prop) (h : «a b» ∧ «a b») : «a b» := by
  cases h with
  | intro α₁ β' => exact (fun (s : String) (c : Char) => α₁) "a \"(" '('
