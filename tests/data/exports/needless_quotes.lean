-- «target»: accepted
--- statement
theorem «target» (p : Prop) (h : p) : p := sorryAx _ Bool.true
--- proof
theorem target (p : Prop) (h : p) : p := h
