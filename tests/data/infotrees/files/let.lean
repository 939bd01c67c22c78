theorem with_let (n : Nat) : n = n := by
  let m := n
  let k : Nat := by
    exact m
  suffices h : m = m by
    exact h
  rfl
