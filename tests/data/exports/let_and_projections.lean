-- target: accepted
--- statement
theorem target (a b : Prop) (h : And a b) : let c := And b a; c := sorryAx _ Bool.true
--- proof
theorem target (a b : Prop) (h : And a b) : let c := And b a; c :=
  let g : And b a := And.intro h.2 h.1
  g
