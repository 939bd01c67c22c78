-- target: refused statement_mismatch
--- statement
inductive Two : Type where
  | a : Two
  | b : Two
theorem target (t : Two) : Eq t t := sorryAx _ Bool.true
--- proof
inductive Two : Type where
  | b : Two
  | a : Two
theorem target (t : Two) : Eq t t := Eq.refl t
