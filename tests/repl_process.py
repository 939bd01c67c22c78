"""A stand-in REPL as a subprocess, spoken to over its pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

HEAVY = frozenset(
    {"aiohttp", "aiokafka", "asyncio", "confluent_kafka", "multiprocessing", "pydantic", "rich", "structlog", "typer"}
)
"""What a stand-in must not import, so that it starts at once."""


class StandInProcess:
    """One process; `ask` sends a command and reads its answer. Killed and reaped at the end of the block."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"streamverify.standins.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.stdin, self.stdout, self.stderr):
            pipe.close()

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        assert self.process.stderr is not None
        return self.process.stderr

    def send(self, command: str, **fields: Any) -> None:
        self.send_raw(json.dumps({"cmd": command, **fields}).encode() + b"\n\n")

    def send_raw(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def read(self) -> Any:
        """The next answer, up to its blank line; None where stdout has ended."""
        lines = []
        while line := self.stdout.readline():
            if not line.strip():
                break
            lines.append(line)
        return json.loads(b"".join(lines)) if lines else None

    def ask(self, command: str, **fields: Any) -> Any:
        self.send(command, **fields)
        return self.read()

    def finish(self) -> tuple[int, bytes, bytes]:
        """End its input; its exit status and what is left on stdout and stderr."""
        rest, errors = self.process.communicate()
        return self.process.returncode, rest, errors


def modules_after_import(module: str) -> frozenset[str]:
    """The top-level modules that a fresh interpreter has after importing a stand-in."""
    code = f"import sys, streamverify.standins.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return frozenset(name.partition(".")[0] for name in done.stdout.split())
