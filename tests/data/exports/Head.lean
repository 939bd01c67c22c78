prelude
set_option genCtorIdx false
unsafe axiom lcErased : Type
unsafe axiom lcAny : Type
unsafe axiom lcVoid : Type
unsafe axiom lcProof {A : Prop} : A
inductive False : Prop
inductive True : Prop where
  | intro : True
inductive Eq {A : Sort u} : A → A → Prop where
  | refl (a : A) : Eq a a
structure Iff (a b : Prop) : Prop where
  intro ::
  mp : a → b
  mpr : b → a
structure And (a b : Prop) : Prop where
  intro ::
  left : a
  right : b
inductive Or (a b : Prop) : Prop where
  | inl (h : a) : Or a b
  | inr (h : b) : Or a b
inductive Nonempty (A : Sort u) : Prop where
  | intro (val : A) : Nonempty A
inductive Exists {A : Sort u} (p : A → Prop) : Prop where
  | intro (w : A) (h : p w) : Exists p
inductive Bool : Type where
  | false : Bool
  | true : Bool
inductive Nat : Type where
  | zero : Nat
  | succ (n : Nat) : Nat
inductive List (A : Type u) : Type u where
  | nil : List A
  | cons (head : A) (tail : List A) : List A
structure Prod (A : Type u) (B : Type v) where
  fst : A
  snd : B
class OfNat (A : Type u) (_ : Nat) where
  ofNat : A
instance instOfNatNat (n : Nat) : OfNat Nat n := OfNat.mk n
noncomputable def Nat.add (n m : Nat) : Nat := Nat.rec n (fun _ sum => Nat.succ sum) m
noncomputable def Nat.pred (n : Nat) : Nat := Nat.rec Nat.zero (fun m _ => m) n
noncomputable def Nat.isZero (n : Nat) : Prop := Nat.rec True (fun _ _ => False) n
def Not (a : Prop) : Prop := a → False
init_quot
axiom propext {a b : Prop} : Iff a b → Eq a b
axiom Quot.sound {A : Sort u} {r : A → A → Prop} {a b : A} : r a b → Eq (Quot.mk r a) (Quot.mk r b)
axiom Classical.choice {A : Sort u} : Nonempty A → A
axiom sorryAx (A : Sort u) (synthetic : Bool) : A
structure Char where
  val : Nat
noncomputable def Char.ofNat (n : Nat) : Char := Char.mk n
structure String where
  data : List Char
noncomputable def String.ofList (data : List Char) : String := String.mk data
class Op (A : Type u) where
  op : A → A → A
noncomputable instance addOp : Op Nat := Op.mk Nat.add
