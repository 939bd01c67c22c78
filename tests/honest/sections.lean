import Mathlib.Tactic

/-! Sections, variables, universes, `open … in`: the plain furniture of a file. -/

set_option autoImplicit false
set_option maxHeartbeats 400000
set_option linter.unusedVariables false

open Nat Real
open scoped BigOperators Topology
open Finset (range sum_range_succ)
open Function hiding comp
open Set renaming univ → everything

universe u v w

noncomputable section

variable {α : Type u} {β : Type v} [DecidableEq α]
variable (x y : ℝ) (hx : 0 < x)

section Named
variable (h : x ≠ y)
include h
theorem ne_of_named : y ≠ x := fun e => h e.symm
omit h
end Named

namespace Outer.Inner

protected theorem thing (n : ℕ) : n + 0 = n := by simp

end Outer.Inner

open Outer.Inner in
/-- With a comment of its own: -- /- nested -/ and `axiom` in it. -/
theorem uses_open (n : ℕ) : n + 0 = n := Outer.Inner.thing n

open Classical in
set_option maxRecDepth 2000 in
theorem both_in (p : Prop) : p ∨ ¬p := em p

omit [DecidableEq α] in
theorem omitted (a : α) : a = a := rfl

end

example : 1 + 1 = 2 := by norm_num
#check ne_of_named
#check_failure (1 : String)
#print axioms uses_open
#print uses_open
#reduce 1 + 1
#synth Inhabited Nat
#where
