import Mathlib
import Aesop

set_option maxHeartbeats 0

open BigOperators Real Nat Topology Rat

/- prove that $a^2 + b^2 \geq 2 a b$: \frac{1}{2}, #eval, axiom, "unclosed -/
theorem squares (a b : ℝ) : a ^ 2 + b ^ 2 ≥ 2 * a * b := by
  nlinarith [sq_nonneg (a - b), sq_nonneg (a + b)]

theorem calc_proof (a b c : ℕ) (h₁ : a = b) (h₂ : b = c) : a = c := calc
  a = b := h₁
  _ = c := h₂

theorem calc_tactic (a b : ℕ) (h : a = b) : b = a := by
  calc b
    _ = b := rfl
    _ = a := h.symm

theorem with_where (n : ℕ) : n ≤ n + helper := by
  simp [helper]
where
  helper : ℕ := 1

theorem structured (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  · exact hp
  . assumption

theorem cases_on (p q : Prop) (h : p ∨ q) : q ∨ p := by
  rcases h with hp | hq
  · right; exact hp
  · left; exact hq

theorem by_column_zero (n : ℕ) : n + 0 = n := by
simp

theorem term_column_zero (n : ℕ) : n = n :=
rfl

theorem broken_lines (f : ℕ → ℕ) (h : ∀ n, f n = n) :
f 3 =
3 ∧
f 4 = 4 := by
refine ⟨?_, ?_⟩ <;>
simp [h]

lemma sums (n : ℕ) : ∑ i ∈ Finset.range (n + 1), i = n * (n + 1) / 2 := by
  induction n with
  | zero => rfl
  | succ n ih =>
    rw [Finset.sum_range_succ, ih]
    omega

lemma configured (x y : ℝ) (h : x < y) : x ≤ y := by
  first
  | linarith (config := { splitNe := true })
  | nlinarith (config := {})
  | positivity
  | simp (config := { contextual := true }) (discharger := assumption) only [h.le]
  | simp +arith +decide [*] at *
  | decide +kernel
  | solve_by_elim (maxDepth := 10)
  | aesop (add safe h, norm simp foo) (config := { maxRuleApplications := 10 })

lemma tactic_zoo (x : ℕ) (h : x ∣ 6) : x ≤ 6 := by
  set_option maxRecDepth 1000 in
  have key : x ≤ 6 := Nat.le_of_dvd (by norm_num) h
  interval_cases x <;> simp_all (config := { decide := true })
  any_goals omega
  all_goals try exact?
  open Nat in exact key

theorem strings : "a b" = "a b" ∧ 'x' = 'x' ∧ '-' = '-' ∧ "it's" = "it's" := by decide
theorem not_interpolated (n : ℕ) : s!"a" = "a" := rfl
theorem images (f : ℕ → ℕ) (s t' : Set ℕ) (h : f '' s ⊆ f ⁻¹' t') : f '' s ⊆ f ⁻¹' t' := by
  simpa (config := { decide := true }) using h -- as `h'` does
theorem modulo (eval : ℕ) (init : List ℕ) : eval % 2 < 2 ∧ init.map (fun coe => coe) = init := by simp [Nat.mod_lt]
theorem fields (s : Finset ℕ) (h : s.card = 3) : #s = 3 ∧ s.card.succ.pred = 3 := by simp [h]
theorem primes (pp : Nat.Prime 7) : 0 < 7 := pp.pos
theorem intervals (x : ℝ) (hx : x ∈ Set.Ico 0 1) : x ∈ Set.Icc (0 : ℝ) 1 := Set.Ico_subset_Icc_self hx
theorem names «weird name» : «weird name» = («weird name» : ℕ) := rfl
theorem lists (l : List ℕ) : l[0]? = l.head? ∧ #[1, 2].size = 2 := by cases l <;> simp
theorem matched (o : Option ℕ) : (match o with | some n => n | none => 0) ≥ 0 := Nat.zero_le _
theorem existing : ∃ x : ℕ, x > 3 ∧ x - 1 = 3 := ⟨4, by norm_num, rfl⟩
theorem anonymous : (fun x : ℕ ↦ x + 1) = (· + 1) := by funext; rfl
theorem pipes (l : List ℕ) : (l |>.map id |>.length) = l.length := by simp
theorem letting : (let x := 2; x + x) = 4 := by
  intro x
  show 2 + 2 = 4
  rfl
theorem conversion (a b : ℕ) : a + b = b + a := by
  conv_lhs => rw [add_comm]
theorem finish : True := trivial -- the end
