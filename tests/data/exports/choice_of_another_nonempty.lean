-- target: refused axiom
--- head
  | intro (val : A) : Nonempty A ==>   | intro : Nonempty A
--- statement
theorem target (p : Prop) : p := sorryAx _ Bool.true
--- proof
theorem target (p : Prop) : p := Classical.choice Nonempty.intro
