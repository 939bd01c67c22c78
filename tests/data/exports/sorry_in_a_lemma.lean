-- target: refused axiom
--- statement
theorem target (p : Prop) : p := sorryAx _ Bool.true
--- proof
theorem lemma_ (p : Prop) : p := sorryAx _ Bool.true
theorem target (p : Prop) : p := lemma_ p
