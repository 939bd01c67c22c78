-- target: refused statement_mismatch
--- statement
private structure S where
  field : Nat
private structure T where
  field : Nat
theorem target : Eq S T := sorryAx _ Bool.true
--- proof
private structure S where
  field : Nat
theorem target : Eq S S := Eq.refl _
