import Mathlib

/-- A structure with everything that structures have. -/
@[ext]
structure Point (α : Type*) where
  /-- the first -/
  x : α
  y : α := x
  deriving Repr, DecidableEq, Inhabited

structure Point3 (α : Type*) extends Point α where
  protected z : α

class Pointed (α : Type*) where
  point : α

class inductive Tree' (α : Type) : Prop
  | leaf : Tree' α

attribute [simp] Nat.add_comm
attribute [local simp] Nat.mul_comm in
theorem mul_comm_local (a b : ℕ) : a * b = b * a := by simp
attribute [-simp] Nat.add_comm
attribute [local instance 1000] Classical.propDecidable

namespace Point

variable {α : Type*} [Add α]

instance : Add (Point α) := ⟨fun p q => ⟨p.x + q.x, p.y + q.y⟩⟩
instance (priority := low) instPointed [Pointed α] : Pointed (Point α) where
  point := { x := Pointed.point, y := Pointed.point }
local instance : Inhabited Bool := ⟨true⟩
scoped instance : Inhabited ℕ := ⟨3⟩
noncomputable instance named : Nonempty ℕ := ⟨0⟩

@[simp] theorem add_x (p q : Point α) : (p + q).x = p.x + q.x := rfl
@[simp, norm_cast, to_additive (attr := simp, norm_cast) foo_add "doc"]
lemma mul_x : True := trivial
@[simps (config := .asFn) apply, inline, reducible] def swap (p : Point α) : Point α := ⟨p.y, p.x⟩
@[inherit_doc swap, elab_as_elim, deprecated swap (since := "2024-01-01")] alias swap' := swap
@[local simp, scoped simp ←, simp high, simp↓] theorem several : True := trivial
@[gcongr, mono, trans, refl, symm, congr, norm_cast, push_cast, field_simps, fun_prop, continuity, measurability]
theorem tagged : True := trivial
@[aesop safe apply (rule_sets := [Sets])] theorem ruled : True := trivial
@[grind =, grind →, grind] theorem grinded : True := trivial
@[irreducible] private def hidden : ℕ := 3
private lemma hidden_eq : hidden = 3 := by unfold hidden; rfl
@[norm_num] theorem from_lean_three : True := trivial

end Point

deriving instance Hashable for Point
deriving instance Ord, BEq for Point3

inductive Tree (α : Type u) : Type u
  | leaf : Tree α
  | node (l : Tree α) (a : α) (r : Tree α) : Tree α
  deriving Repr

namespace Tree

def size {α : Type*} : Tree α → ℕ
  | leaf => 0
  | .node l _ r => l.size + 1 + r.size

@[match_pattern] abbrev single {α : Type*} (a : α) : Tree α := node leaf a leaf

end Tree

def ack : ℕ → ℕ → ℕ
  | 0, n => n + 1
  | m + 1, 0 => ack m 1
  | m + 1, n + 1 => ack m (ack (m + 1) n)
termination_by m n => (m, n)
decreasing_by
  all_goals simp_wf
  · simp [Prod.lex_def]
  · omega

mutual
  inductive Even' : ℕ → Prop
    | zero : Even' 0
    | succ {n} : Odd' n → Even' (n + 1)
  inductive Odd' : ℕ → Prop
    | succ {n} : Even' n → Odd' (n + 1)
end

mutual
def isEven : ℕ → Bool
  | 0 => true
  | n + 1 => isOdd n
def isOdd : ℕ → Bool
  | 0 => false
  | n + 1 => isEven n
end

partial def loop (n : ℕ) : ℕ := loop (n + 1)
nonrec theorem _root_.le_refl' (n : ℕ) : n ≤ n := le_refl n
opaque secret : ℕ
opaque secret' : ℕ := 3
irreducible_def twice (n : ℕ) : ℕ := n + n
export Point (add_x)
alias ⟨forward, backward⟩ := Nat.lt_iff_add_one_le
abbrev Pair := ℕ × ℕ
noncomputable def root : ℝ := Real.sqrt 2
protected noncomputable def Nat.other : ℝ := 3
initialize_simps_projections Point (x → first)
add_decl_doc Point.x
grind_pattern Nat.add_comm => a + b
library_note "a note" /-- of this library -/
