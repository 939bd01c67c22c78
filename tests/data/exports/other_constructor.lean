-- target: refused statement_mismatch
--- statement
inductive Good : Nat → Prop where
  | mk : Good 2
theorem target : Good 3 := sorryAx _ Bool.true
--- proof
inductive Good : Nat → Prop where
  | mk : Good 3
theorem target : Good 3 := Good.mk
