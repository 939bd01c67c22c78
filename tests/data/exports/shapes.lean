-- target: accepted
--- statement
inductive Tree : Type where
  | node (children : List Tree) : Tree
inductive Rose (A : Type u) : Type u where
  | node (x : A) (children : List (Prod A (Rose A))) : Rose A
inductive W : Type where
  | mk (f : Nat → W) : W
inductive Vec (A : Type u) : Nat → Type u where
  | nil : Vec A Nat.zero
  | cons (n : Nat) (x : A) (xs : Vec A n) : Vec A (Nat.succ n)
mutual
inductive Even : Nat → Type where
  | zero : Even Nat.zero
  | succ (n : Nat) (h : Odd n) : Even (Nat.succ n)
inductive Odd : Nat → Type where
  | succ (n : Nat) (h : Even n) : Odd (Nat.succ n)
end
mutual
inductive Term : Type where
  | fn (args : List Term) (b : Block) : Term
inductive Block : Type where
  | mk (terms : List Term) (also : List Block) : Block
end
inductive Acc {A : Sort u} (r : A → A → Prop) : A → Prop where
  | intro (x : A) (h : (y : A) → r y x → Acc r y) : Acc r x
class Both (A : Type u) extends Op A where
  law : (a : A) → Eq (Op.op a a) a
inductive PUnit.{u} : Sort (u + 1) where
  | unit : PUnit
def Predicate := Nat → Prop
theorem target (t : Tree) (r : Rose Nat) (w : W) (v : Vec Nat 1) (e : Term) (b : Both Nat) (p : Predicate) (u : PUnit)
    (a : Acc (fun (x y : Nat) => Eq x y) 1) : Nonempty (Even 2) := sorryAx _ Bool.true
--- proof
inductive Tree : Type where
  | node (children : List Tree) : Tree
inductive Rose (A : Type u) : Type u where
  | node (x : A) (children : List (Prod A (Rose A))) : Rose A
inductive W : Type where
  | mk (f : Nat → W) : W
inductive Vec (A : Type u) : Nat → Type u where
  | nil : Vec A Nat.zero
  | cons (n : Nat) (x : A) (xs : Vec A n) : Vec A (Nat.succ n)
mutual
inductive Even : Nat → Type where
  | zero : Even Nat.zero
  | succ (n : Nat) (h : Odd n) : Even (Nat.succ n)
inductive Odd : Nat → Type where
  | succ (n : Nat) (h : Even n) : Odd (Nat.succ n)
end
mutual
inductive Term : Type where
  | fn (args : List Term) (b : Block) : Term
inductive Block : Type where
  | mk (terms : List Term) (also : List Block) : Block
end
inductive Acc {A : Sort u} (r : A → A → Prop) : A → Prop where
  | intro (x : A) (h : (y : A) → r y x → Acc r y) : Acc r x
class Both (A : Type u) extends Op A where
  law : (a : A) → Eq (Op.op a a) a
inductive PUnit.{u} : Sort (u + 1) where
  | unit : PUnit
def Predicate := Nat → Prop
theorem target (t : Tree) (r : Rose Nat) (w : W) (v : Vec Nat 1) (e : Term) (b : Both Nat) (p : Predicate) (u : PUnit)
    (a : Acc (fun (x y : Nat) => Eq x y) 1) : Nonempty (Even 2) :=
  Nonempty.intro (Even.succ 1 (Odd.succ 0 Even.zero))
