"""The tiers above `audited`: a proof is compiled apart, exported as data, and judged by programs that never ran it.

`tools` finds those programs, `step_sandbox` and `step_process` run one in a sandbox of its own, `tier_runner` takes one
proof through the steps that `core.tiers` decides on, `reader` is the process of our own reading, `acceptances`
remembers which bytes a kernel has accepted, and `replays` has the slots.
"""
