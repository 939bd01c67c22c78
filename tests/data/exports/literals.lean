-- target: accepted
--- statement
theorem target : And (Eq (Nat.add 123456789012345678901234567890 1) 123456789012345678901234567891) (Eq "a\u00e9b" "a\u00e9b") := sorryAx _ Bool.true
--- proof
theorem target : And (Eq (Nat.add 123456789012345678901234567890 1) 123456789012345678901234567891) (Eq "a\u00e9b" "a\u00e9b") :=
  And.intro (Eq.refl _) (Eq.refl _)
