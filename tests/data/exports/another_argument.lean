-- target: refused statement_mismatch
--- statement
theorem target : Eq Nat Bool := sorryAx _ Bool.true
--- proof
variable (h : False)
include h
theorem target : Eq Nat Bool := False.rec (fun _ => Eq Nat Bool) h
