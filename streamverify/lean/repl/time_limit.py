"""The wall-clock and CPU time of one command of a REPL: looks at them while it runs, and tells when one is used up."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from streamverify.lean.repl.errors import TimedOut, WorkerSuspended
from streamverify.lean.repl.usage import usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.lean.repl.errors import ReplFailure

LATE_TIMEOUT_GRACE = 1.0
"""Seconds after the deadline from which on a time-out is not the REPL's: this process was stopped, or its loop busy."""

CPU_LOOK_EVERY = 1.0
"""Seconds between two looks at the CPU time of a REPL that runs."""


class TimeLimit:
    """The time of the command that a REPL runs. To be used in one event loop.

    IDLE --start--> COUNTING --stop--> IDLE
                       | time is over, `is_running()` still
                       +--> `on_over`, once, and IDLE
    """

    def __init__(
        self,
        pid: int,
        *,
        cores: float | None,
        is_running: Callable[[], bool],
        on_over: Callable[[ReplFailure], None],
    ) -> None:
        """Make the limit of the commands of one REPL.

        Args:
            pid: The process, whose CPU time counts with that of all below it.
            cores: CPU seconds for each second of a command; None: CPU time is not limited.
            is_running: Says whether the answer is still to come; it may read what has arrived and was not looked at.
            on_over: Told what the command has used up.
        """
        self._pid = pid
        self._cores = cores or math.inf
        self._is_running = is_running
        self._on_over = on_over
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._cpu_allowed = 0.0
        self._cpu_at_first: float | None = None

    def start(self, timeout: float) -> None:
        """Count the time of one command, and the CPU time that it may use, from now on; `timeout` in seconds."""
        self.stop()
        self._deadline = time.monotonic() + timeout
        # Not read before the first look, which most proofs never see.
        self._cpu_allowed, self._cpu_at_first = timeout * self._cores, None
        self._look_again_in(timeout)

    def stop(self) -> None:
        """Count no longer: the answer is there, or nobody waits for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_again_in(self, left: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(min(left, CPU_LOOK_EVERY), self._look)

    def _look(self) -> None:
        deadline = self._deadline
        late = time.monotonic() - deadline
        if late < 0:
            used = usage(self._pid).cpu
            self._cpu_at_first = used if self._cpu_at_first is None else self._cpu_at_first
            if used - self._cpu_at_first > self._cpu_allowed:
                sentence = f"Lean used more than the {self._cpu_allowed:.0f} s of CPU time that it may use."
                self._on_over(TimedOut(sentence))
            else:
                self._look_again_in(-late)
        elif not self._is_running() or self._deadline != deadline:
            # The answer was there and nobody had read it: event loops may run timers before they read. What has a
            # deadline of its own now is the command that follows that answer.
            return
        elif late > LATE_TIMEOUT_GRACE:
            # Nobody knows how long Lean ran where this process itself was stopped: not held against the proof.
            self._on_over(WorkerSuspended("The worker itself was stopped while Lean ran."))
        else:
            self._on_over(TimedOut("Lean did not answer in time."))
