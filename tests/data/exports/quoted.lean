-- «a.b»: refused no_theorem
--- statement
theorem «a.b» (p : Prop) (h : p) : p := sorryAx _ Bool.true
theorem a.b (p : Prop) (h : p) : p := «a.b» p h
--- proof
theorem a.b (p : Prop) (h : p) : p := h
