HEAD = """\
prelude
unsafe axiom lcErased : Type
unsafe axiom lcAny : Type
unsafe axiom lcVoid : Type
unsafe axiom lcProof {α : Prop} : α
inductive False : Prop
inductive True : Prop where
  | intro : True
inductive Eq : α → α → Prop where
  | refl (a : α) : Eq a a
structure And (a b : Prop) : Prop where
  left : a
  right : b
inductive Or (a b : Prop) : Prop where
  | inl (h : a) : Or a b
  | inr (h : b) : Or a b
structure Iff (a b : Prop) : Prop where
  intro ::
  mp : a → b
  mpr : b → a
inductive Nonempty (α : Sort u) : Prop where
  | intro (val : α) : Nonempty α
inductive Bool : Type where
  | false : Bool
  | true : Bool
inductive Nat : Type where
  | zero : Nat
  | succ (n : Nat) : Nat
inductive List (α : Type u) where
  | nil : List α
  | cons (head : α) (tail : List α) : List α
init_quot
axiom propext {a b : Prop} : (Iff a b) → Eq a b
axiom Quot.sound {α : Sort u} {r : α → α → Prop} {a b : α} : r a b → Eq (Quot.mk r a) (Quot.mk r b)
axiom Classical.choice {α : Sort u} : Nonempty α → α
axiom sorryAx (α : Sort u) (synthetic : Bool) : α
noncomputable def Nat.add (n m : Nat) : Nat := Nat.rec n (fun _ sum => Nat.succ sum) m
def Not (a : Prop) : Prop := a → False
structure Prod (α : Type u) (β : Type v) where
  fst : α
  snd : β
inductive Tree : Type where
  | node (children : List Tree) : Tree
theorem target (p : Prop) (h : p) : p := h
theorem ax (p q : Prop) (a : Iff p q) : Eq p q := propext a
theorem ch (p q : Prop) (h : Nonempty p) : p := Classical.choice h
theorem qs (r : Nat → Nat → Prop) (a b : Nat) (h : r a b): Eq (Quot.mk r a) (Quot.mk r b) := Quot.sound h
theorem tr : Eq (Tree.node List.nil) (Tree.node List.nil) := Eq.refl _
theorem ad : Eq (Nat.add (nat_lit 2) (nat_lit 3)) (nat_lit 5) := Eq.refl _
"""
