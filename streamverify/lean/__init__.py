"""The Lean side: a pool of REPL processes that gives each proof its verdict. It knows nothing of Kafka.

`pool` hands jobs to slots, as `core.scheduling` decides. A `slot` runs one proof at a time: `slot_process` keeps its
REPL and the headers that it has imported, `auditor` asks Lean the questions of an audit (`vocabularies` those about a
header), `retry` decides what a failure means. `import_errors` tells whose fault a failed import is, `warm_headers`
which headers are imported at the start. `repl` is one process: found, confined, asked, watched and ended.
"""
