-- target: accepted
--- statement
theorem target (p : Prop) (h : p) : p := sorryAx _ Bool.true
--- proof
theorem target (q : Prop) (proof_of_q : q) : q := proof_of_q
