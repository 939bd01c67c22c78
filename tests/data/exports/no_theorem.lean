-- target: refused no_theorem
--- statement
theorem target (p : Prop) (h : p) : p := sorryAx _ Bool.true
--- proof
def target (p : Prop) (h : p) : p := h
