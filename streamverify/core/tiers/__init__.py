"""From an audited proof to the tiers that do not rest on the process that ran it: the steps, and what they say."""
