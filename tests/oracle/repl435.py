"""A REPL with a real Lean 4.35 behind it: the protocol of leanprover-community/repl, answered by the wheel's `lean`.

    python tests/oracle/repl435.py [WORDS FOR LEAN...]

The wheel has no Init, so the REPL itself, a Lean program, cannot run on it. Here an environment is the text that led to
it: a command is run by Lean on a file of that text and the command's own, in a process forked for it, and the messages
of the command's own part are the answer, at their places in it. A file begins with `prelude`; where a header imports
nothing, `Nat` is an axiom, since the driver asks for that after an import. Where Lean dies, this process dies of the
same signal or status, with what Lean wrote to stderr, as a REPL in whose process Lean runs does.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle.lean435 import VERSION, _forked, library

VERSION_QUESTION = "#eval Lean.versionString"
PRELUDE = "prelude\n"
BLANK = f"{PRELUDE}axiom Nat : Type\n"


class Lean:
    """The library, initialised once, and the texts of the environments."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self._library = ctypes.CDLL(str(library()))
        self._library.lean_initialize()
        self._words = words
        self._file = folder / "Command.lean"
        self._environments: list[str] = []

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer to one command."""
        text, env = command["cmd"], command.get("env")
        if env is not None and env >= len(self._environments):
            return {"message": "Unknown environment."}
        if env is not None:
            before = self._environments[env]
        elif text.lstrip().startswith("import "):
            before = PRELUDE
        else:
            before = BLANK
        if text.strip() == VERSION_QUESTION:
            # Asked by the driver at the start; without Init there is no `#eval`.
            messages = [{"severity": "info", "pos": {"line": 1, "column": 0}, "endPos": None, "data": f'"{VERSION}"'}]
            text = ""
        else:
            messages = self._messages(before, text) if text.strip() else []
        errors = any(each["severity"] == "error" for each in messages)
        # Of a header with an error the REPL makes an empty environment; of a body what there is of it.
        self._environments.append(f"{before}{text}\n" if env is not None or not errors else BLANK)
        return {"env": len(self._environments) - 1, **({"messages": messages} if messages else {})}

    def _messages(self, before: str, text: str) -> list[dict[str, Any]]:
        self._file.write_text(f"{before}{text}\n", "utf-8")
        run = _forked(self._library, [*self._words, "--json", str(self._file)])
        found = [json.loads(line) for line in run["stdout"].splitlines() if line.startswith("{")]
        if run["status"] and not any(each["severity"] == "error" for each in found):
            _die(run["status"], run["stderr"])
        skipped = before.count("\n")
        # Lean tells of an import that fails at the beginning of the file.
        return [_shown(each, skipped) for each in found if each["pos"]["line"] > skipped or before == PRELUDE]


def _shown(message: dict[str, Any], skipped: int) -> dict[str, Any]:
    severity = "info" if message["severity"] == "information" else message["severity"]
    places = {
        name: message[name] and {**message[name], "line": max(1, message[name]["line"] - skipped)}
        for name in ("pos", "endPos")
    }
    return {"severity": severity, **places, "data": message["data"]}


def _die(status: int, stderr: str) -> None:
    os.write(2, stderr.encode())
    if status < 0:
        # Python handles none of those that Lean dies of; no core file is left behind.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), -status)
    os._exit(status)


def main() -> None:
    """Answer what comes on stdin until it ends."""
    with tempfile.TemporaryDirectory() as folder:
        lean, block = Lean(sys.argv[1:], Path(folder)), b""
        while line := sys.stdin.buffer.readline():
            if line.strip():
                block += line
            elif block:
                answer = json.dumps(lean.answer(json.loads(block)), ensure_ascii=False).encode()
                sys.stdout.buffer.write(answer + b"\n\n")
                sys.stdout.buffer.flush()
                block = b""


if __name__ == "__main__":
    main()
