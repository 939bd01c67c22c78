"""The tiers above `audited`: a proof is compiled apart, exported as data, and judged by programs that never ran it.

`tools` finds those programs, `box` and `step_process` run one in a sandbox of its own, `climber` takes one proof
through the steps that `core.tiers` decides, `reader` is the process of our own reading, `acceptances` remembers which
bytes a kernel has accepted, and `replays` has the slots.
"""
