"""Stand-ins for a Lean REPL: executables that speak its protocol where there is no Lean, or where Lean must misbehave.

`replay` answers what a real Lean answered when it was recorded, `synthetic` answers as its flags and the
directives in a proof tell it. Both start in a fraction of a second, so they import little: neither pydantic,
asyncio nor anything of Kafka. Neither is used unless it is asked for by name, and every result says what answered.
"""
