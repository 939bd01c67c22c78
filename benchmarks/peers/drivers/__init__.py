"""Programs that run in the virtual environments of other systems: they import nothing of ours.

Each is called with a JSON file: `cases` (a file of proofs), `warm_up` (proofs sent before the clock starts), `slots`,
`in_flight`, `timeout`, `memory`, what the system itself needs, and `output`: a file for one JSON object, `elapsed` and
`said`, a list of id, answer (valid, invalid, none), seconds and detail.
"""
