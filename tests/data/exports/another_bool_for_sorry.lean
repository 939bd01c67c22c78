-- target: accepted
--- statement
theorem target (p : Prop) (h : p) : p := sorryAx _ Bool.true
--- head
inductive Bool : Type where ==> inductive Bool : Type where | maybe : Bool
--- proof
theorem target (p : Prop) (h : p) : p := (fun (_ : Bool) => h) Bool.true
