import Mathlib.Algebra.Group.Basic
import Mathlib.Topology.Basic

open scoped Pointwise

suppress_compilation
assert_not_exists Module
assert_exists Group

set_option backward.isDefEq.respectTransparency false in
@[to_additive (reorder := 1 2)]
theorem mul_three {G : Type*} [Group G] (a b c : G) : a * b * c = a * (b * c) := mul_assoc a b c

#adaptation_note /-- for a newer Lean -/
set_option synthInstance.maxHeartbeats 40000 in
set_option trace.Meta.synthInstance true in
count_heartbeats in
theorem inv_one_three {G : Type*} [Group G] : (1 : G)⁻¹ = 1 := by
  group

@[simps!]
def Subgroup.trivial' {G : Type*} [Group G] : Subgroup G where
  carrier := {1}
  mul_mem' := by rintro a b ⟨⟩ ⟨⟩; simp
  one_mem' := rfl
  inv_mem' := by rintro _ ⟨⟩; simp

@[reassoc (attr := simp), elementwise] theorem comp_id' : True := trivial

seal Subgroup.trivial' in
theorem sealed : True := trivial

unseal Subgroup.trivial'
recall Nat.add_comm (n m : ℕ) : n + m = m + n
variable? [Group G]
@[default_instance 200] instance one : One ℕ := ⟨1⟩
@[nolint docBlame unusedArguments] def unused (_ : ℕ) : ℕ := 0
@[stacks 0001, induction_eliminator, always_inline, specialize, instance, class, expose] def many : ℕ := 0
public section
end
