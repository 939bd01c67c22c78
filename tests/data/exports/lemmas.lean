-- target: accepted
--- statement
noncomputable def double (n : Nat) : Nat := Nat.add n n
theorem helper : Eq (double 1) 2 := sorryAx _ Bool.true
theorem target : Eq (double (double 1)) 4 := sorryAx _ Bool.true
--- proof
noncomputable def double (n : Nat) : Nat := Nat.add n n
theorem helper : Eq (double 1) 2 := Eq.refl _
theorem more : Eq (double 2) 4 := Eq.refl _
theorem target : Eq (double (double 1)) 4 := more
