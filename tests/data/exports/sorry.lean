-- target: refused axiom
--- statement
theorem target (p : Prop) : p := sorryAx _ Bool.true
--- proof
theorem target (p : Prop) : p := sorryAx _ Bool.true
