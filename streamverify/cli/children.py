"""Runs commands of ours as child processes that do not outlive the process that starts them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from streamverify.cli.errors import ChildDied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_POLL = 0.05
_TAIL = 15
"""Lines of the log of a process that ended by itself which its error shows."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The circumstances that child processes have in common."""

    folder: Path
    """The folder that their output goes to."""
    environment: Mapping[str, str]
    cwd: Path
    """The folder that they run in."""
    visible: bool = False
    """True: their stderr is ours, and goes to no file."""


class Child:
    """One child process."""

    def __init__(self, name: str, arguments: Sequence[str], surroundings: Surroundings) -> None:
        self.name = name
        self._stdout = surroundings.folder / f"{name}.out"
        self._stderr = surroundings.folder / f"{name}.log"
        self._visible = surroundings.visible
        argv = [sys.executable, "-m", "streamverify.cli.child", str(os.getpid()), *arguments]
        # Files, not pipes: nobody reads while the child runs, and a pipe that is full would stop it.
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            # A session of its own: on Ctrl-C in the terminal we stop the children ourselves, in the right order.
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=None if self._visible else err,
                cwd=surroundings.cwd,
                env=dict(surroundings.environment),
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Check that the process still runs.

        Raises:
            ChildDied: The process has ended. The message has its last log lines.
        """
        if self.alive:
            return
        status = self._process.returncode
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        if self._visible:
            raise ChildDied(f"the {self.name} ended unexpectedly ({how})")
        lines = self._stderr.read_text("utf-8", "replace").splitlines()[-_TAIL:]
        said = "".join(f"\n  {line}" for line in lines) or " none"
        raise ChildDied(f"the {self.name} ended unexpectedly ({how}); its last log lines:{said}")

    def first_line(self, patience: float) -> str:
        """Wait for the first line of its stdout.

        Raises:
            ChildDied: The process ended without a line, or wrote none for `patience` seconds.
        """
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            line, end, _ = self._stdout.read_text("utf-8", "replace").partition("\n")
            if end:
                return line
            self.check()
            time.sleep(_POLL)
        raise ChildDied(f"the {self.name} was not ready within {patience:g} s")

    def tell(self) -> None:
        """Send a SIGTERM, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def stop(self, patience: Sequence[float]) -> None:
        """Send a SIGTERM for each number in `patience` and wait that many seconds after it; at last send SIGKILL."""
        for seconds in patience:
            self.tell()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return
        # Its whole process group, as it may have started others.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Children:
    """Child processes that all end with the context; the one that was started last ends first."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        cwd: Path | None = None,
        patience: Sequence[float] = (8.0, 4.0),
        visible: bool = False,
    ) -> None:
        """Start no process yet.

        Args:
            folder: Where their output goes.
            environment: The variables that all of them have.
            cwd: Where they run; None: in `folder`.
            patience: Seconds to wait after each SIGTERM before SIGKILL.
            visible: True: their stderr is ours; False: it goes to files in `folder`.
        """
        self._surroundings = Surroundings(folder, environment, cwd or folder, visible)
        self._patience = patience
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        """Start no process yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all processes within a bounded time. A Ctrl-C meanwhile sends all of them another SIGTERM at once."""

        def hurry(_number: int, _frame: Any) -> None:
            # Services drain at the first signal, and end at once at the second.
            for child in self._children:
                child.tell()

        numbers = (signal.SIGINT, signal.SIGTERM)
        before: list[Any] = [signal.signal(number, hurry) for number in numbers]
        try:
            # The broker was started first: it has to be there while the others drain.
            for child in reversed(self._children):
                child.stop(self._patience)
        finally:
            for number, former in zip(numbers, before, strict=True):
                signal.signal(number, former)

    def start(self, name: str, *arguments: str, **variables: str) -> Child:
        """Start `streamverify ARGUMENT...` with these environment variables besides the common ones."""
        environment = {**self._surroundings.environment, **variables}
        child = Child(name, arguments, replace(self._surroundings, environment=environment))
        self._children.append(child)
        return child
