"""The Lean that STREAMVERIFY_TEST_REPL names, in one REPL process: its grammar is whole, and tactics run."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, Self

from oracle.lean435 import Run
from oracle.reading import MODULE_PRELUDE, PRELUDE
from real_lean import REPL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_OPENING = PRELUDE.removeprefix("prelude\n")
EVIL = "def evil (n : Nat) : Nat := if n = 0 then 0 else unreachable!\n"
"""What tells on stderr that it was run."""

_FRESH = 500
"""Commands until a new process: a REPL keeps every environment."""


class Repl:
    """One REPL process at a time, asked in the environment of `Init`, the opening of a drawn file, and `EVIL`."""

    def __init__(self) -> None:
        self._asked = 0
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()
        self._stderr.close()

    def messages(self, body: str) -> list[dict[str, Any]]:
        """Lean's messages about a body."""
        self._asked += 1
        if self._asked % _FRESH == 0:
            self._end()
            self._start()
        found: list[dict[str, Any]] = self._answer({"cmd": body, "env": self._env}).get("messages", [])
        return found

    def panics(self, body: str) -> bool:
        """Whether `unreachable!` was reached while Lean ran a body."""
        self._stderr.truncate(0)
        self._stderr.seek(0)
        self.messages(body)
        self._stderr.seek(0)
        return b"unreachable" in self._stderr.read()

    def run_all(self, texts: Sequence[str], *_words: str) -> list[Run]:
        """What comes of drawn files, as `lean435.Leans.run_all` has it."""
        runs = []
        for text in texts:
            body = text.removeprefix(MODULE_PRELUDE).removeprefix(PRELUDE)
            lines = [json.dumps(message) for message in self.messages(body)]
            runs.append(Run(0, "\n".join(lines), ""))
        return runs

    def _start(self) -> None:
        self._process = subprocess.Popen(
            shlex.split(REPL), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, text=True
        )
        self._answer({"cmd": "import Init\n"})
        self._env = self._answer({"cmd": _OPENING + EVIL, "env": 0})["env"]

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Not as ASCII: Lean of 2021 reads the letters of `\u00ab` as digits that are too small by ten.
        self._process.stdin.write(json.dumps(command, ensure_ascii=False) + "\n\n")
        self._process.stdin.flush()
        lines: list[str] = []
        while (line := self._process.stdout.readline()).strip() or not lines:
            assert line, f"the REPL ended with {self._process.wait()}"
            lines.append(line)
        answer: dict[str, Any] = json.loads("".join(lines))
        return answer
