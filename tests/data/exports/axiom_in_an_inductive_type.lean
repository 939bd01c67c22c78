-- target: refused axiom
--- statement
theorem target (p : Prop) : p := sorryAx _ Bool.true
--- proof
axiom bad : False
inductive Wrap : Nat → Prop where
  | mk : Wrap (False.rec (fun _ => Nat) bad)
theorem use : Wrap (False.rec (fun _ => Nat) bad) := Wrap.mk
theorem target (p : Prop) : p := (fun (_ : Wrap (False.rec (fun _ => Nat) bad)) => False.rec (fun _ => p) bad) use
