-- target: refused statement_mismatch
--- statement
def Good (n : Nat) : Prop := Eq n 2
def Very (n : Nat) : Prop := And (Good n) (Good n)
theorem target : Very 3 := sorryAx _ Bool.true
--- proof
def Good (n : Nat) : Prop := Eq n n
def Very (n : Nat) : Prop := And (Good n) (Good n)
theorem target : Very 3 := And.intro (Eq.refl _) (Eq.refl _)
