"""The executable alone, asked one command after the other: what Lean's own time for each proof is."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import TYPE_CHECKING

import orjson

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import body_of, parse_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.peers.cases import Case
    from streamverify.lean.repl.command import ReplCommand

_IMPORT_SECONDS = 300.0
_SORRY = "theorem t : 1 = 2 := sorry -- synthetic: sorry"


class BareRepl:
    """One process of the executable; another one in its place where a proof has ended it."""

    def __init__(self, command: ReplCommand) -> None:
        self._command = command
        self._environments: dict[str, object] = {}
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._environments.clear()
        command = self._command
        return subprocess.Popen(
            command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=command.env, cwd=command.cwd
        )

    def ask(self, timeout: float, **fields: object) -> dict[str, object]:
        """Return the answer to a command; nothing where there is none in time, or none at all."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError
        ending = threading.Timer(timeout, self._process.kill)
        ending.start()
        answer = b""
        try:
            self._process.stdin.write(orjson.dumps(fields) + b"\n\n")
            self._process.stdin.flush()
            while line := self._process.stdout.readline().strip():
                answer += line + b"\n"
            found: dict[str, object] = orjson.loads(answer)
        except (OSError, orjson.JSONDecodeError):
            self.close()
            self._process = self._start()
            return {}
        finally:
            ending.cancel()
        return found

    def seconds(self, proof: str, timeout: float) -> float:
        """Return the seconds of a proof's body, its header imported before; 0 where it has no answer."""
        try:
            header = parse_header(proof)
        except HeaderError:
            return 0.0
        if header.canonical not in self._environments:
            self._environments[header.canonical] = self.ask(_IMPORT_SECONDS, cmd=header.canonical).get("env")
        begun = time.perf_counter()
        answer = self.ask(timeout, cmd=body_of(proof, header), env=self._environments[header.canonical])
        return time.perf_counter() - begun if answer else 0.0

    def reports_sorries(self) -> bool:
        """Return whether its answers list what is `sorry`."""
        return bool(self.ask(_IMPORT_SECONDS, cmd=_SORRY).get("sorries"))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def lean_seconds(command: ReplCommand, cases: Sequence[Case], timeout: float) -> dict[str, float]:
    """Return the seconds of each timed proof in a REPL that does nothing else."""
    repl = BareRepl(command)
    try:
        return {case.id: repl.seconds(case.proof, timeout) for case in cases if not case.trap}
    finally:
        repl.close()
