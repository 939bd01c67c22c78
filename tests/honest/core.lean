/-!
Without Mathlib, as of 2021 too: no `import` at all.
-/

universes u v
variables {α : Type u}
constant someNumber : Nat

namespace Demo

theorem and_comm' {p q : Prop} (h : p ∧ q) : q ∧ p :=
  And.intro h.right h.left

def length : List α → Nat
  | [] => 0
  | _ :: xs => length xs + 1

theorem length_nil : length ([] : List α) = 0 := rfl

instance : Inhabited (Nat → Nat) where
  default := id

theorem rewriting (a b c : Nat) (h : a = b) (h' : b = c) : a = c := by
  rw [h]
  exact h'

theorem using_let : (let rec go : Nat → Nat | 0 => 0 | n+1 => go n; 1) = 1 := rfl

end Demo

section
  set_option autoBoundImplicitLocal true
  theorem inner (n : Nat) : n = n := rfl
end
