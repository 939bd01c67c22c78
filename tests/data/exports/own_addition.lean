-- target: refused kernel
--- head
noncomputable def Nat.add (n m : Nat) : Nat := Nat.rec n (fun _ sum => Nat.succ sum) m ==> noncomputable def Nat.add (n m : Nat) : Nat := Nat.rec n (fun _ sum => sum) m
--- statement
theorem target : False := sorryAx _ Bool.true
--- proof
theorem same (n m : Nat) : Eq (Nat.add n m) n :=
  Nat.rec (motive := fun m => Eq (Nat.add n m) n) (Eq.refl n) (fun _ h => h) m
set_option allowUnsafeReducibility true
attribute [local irreducible] Nat.add
theorem two : Eq (Nat.add 1 1) 2 := Eq.refl 2
theorem symm (a b : Nat) (h : Eq a b) : Eq b a := Eq.rec (motive := fun x _ => Eq x a) (Eq.refl a) h
theorem subst (p : Nat → Prop) (a b : Nat) (h : Eq a b) (pa : p a) : p b := Eq.rec (motive := fun x _ => p x) pa h
theorem target : False :=
  subst (fun n => Nat.isZero (Nat.pred n)) (Nat.add 1 1) 2 two
    (subst (fun n => Nat.isZero (Nat.pred n)) 1 (Nat.add 1 1) (symm (Nat.add 1 1) 1 (same 1 1)) True.intro)
