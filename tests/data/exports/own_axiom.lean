-- target: refused axiom
--- statement
theorem target (p : Prop) : p := sorryAx _ Bool.true
--- proof
axiom shortcut : (p : Prop) → p
theorem target (p : Prop) : p := shortcut p
