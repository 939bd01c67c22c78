-- target: refused axiom
--- statement
theorem target : Eq Bool.true Bool.false := sorryAx _ Bool.true
--- proof
axiom Lean.trustCompiler : True
opaque Lean.reduceBool (b : Bool) : Bool := (fun (_ : True) => b) Lean.trustCompiler
axiom Lean.ofReduceBool (a b : Bool) (h : Eq (Lean.reduceBool a) b) : Eq a b
axiom target._native.native_decide.ax_1_1 : Eq Bool.true Bool.false
theorem target : Eq Bool.true Bool.false := target._native.native_decide.ax_1_1
