"""Plays a recorded session: each command must be the next recorded one, and gets the answer that was recorded to it.

Arguments: the file of commands, the file of answers. Standard library only.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

commands = [
    json.loads("".join(line.rstrip() for line in block.splitlines()))
    for block in re.split(r"\n[ \t]*\n", Path(sys.argv[1]).read_text())
    if block.strip()
]
answers = [block for block in re.split(r"\n[ \t]*\n", Path(sys.argv[2]).read_text()) if block.strip()]

block = b""
for line in sys.stdin.buffer:
    if line.strip():
        block += line
        continue
    expected = commands.pop(0)
    if json.loads(block) != expected:
        sys.exit(f"got {block!r} where {expected!r} was recorded")
    sys.stdout.write(answers.pop(0).strip("\n") + "\n\n")
    sys.stdout.flush()
    block = b""
