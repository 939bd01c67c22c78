-- Ω₁.größe: accepted
--- statement
theorem Ω₁.größe (p : Prop) (h : p) : p := sorryAx _ Bool.true
--- proof
theorem Ω₁.größe (p : Prop) (h : p) : p := h
