-- target: refused statement_mismatch
--- statement
inductive Good : Nat → Prop where
  | two : Good 2
theorem target : Good 3 := sorryAx _ Bool.true
--- proof
inductive Good : Nat → Prop where
  | two : Good 2
  | any (n : Nat) : Good n
theorem target : Good 3 := Good.any 3
