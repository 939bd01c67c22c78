-- target: refused kernel
--- statement
theorem target (a : Bool) : Eq a a := sorryAx _ Bool.true
--- proof
opaque Lean.reduceBool (b : Bool) : Bool := b
theorem target (a : Bool) : Eq a a := (fun (_ : Eq (Lean.reduceBool a) (Lean.reduceBool a)) => Eq.refl a) (Eq.refl _)
