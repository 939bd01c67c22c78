"""One REPL process and the conversation with it: a command goes out, one answer comes back, in time.

The channel is not trusted: bytes that nobody asked for end the session, as everything does that leaves it unclear
which answer belongs to which command. What the answers mean is `verify`'s business.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from streamverify.core.recycling import Limits as WearLimits
from streamverify.core.recycling import Wear
from streamverify.lean.death import Cause, Death, classify
from streamverify.lean.failures import (
    AnswerTooLarge,
    ChannelBroken,
    Died,
    Overslept,
    ReplFailure,
    TimedOut,
)
from streamverify.lean.process import ReplProcess
from streamverify.lean.protocol import AnswerSplitter
from streamverify.lean.usage import exact_memory, usage

if TYPE_CHECKING:
    from streamverify.lean.command import ReplCommand

LATE = 1.0
"""Seconds after which a time-out that fires is none: this process itself was stopped, or its loop was held up."""

LOOK_EVERY = 1.0
"""Seconds between two looks at the memory and CPU time of a REPL that runs."""


class ReplSession:
    """A running REPL. Once something went wrong, `failure` says what, and the process is dead or about to be."""

    def __init__(self, command: ReplCommand, *, max_answer_bytes: int) -> None:
        """Start the process.

        Raises:
            StartFailed: The system cannot start the executable.
        """
        self.failure: ReplFailure | None = None
        self._wrapped = command.wrapped
        self._limits = command.limits
        self._wear: Wear | None = None
        self._max_answer_bytes = max_answer_bytes
        self._loop = asyncio.get_running_loop()
        self._splitter = AnswerSplitter()
        self._waiter: asyncio.Future[bytes] | None = None
        self._deadline = 0.0
        self._cpu_allowed = 0.0
        self._cpu_at_first: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._process = ReplProcess(
            command, on_output=self._on_output, on_hang_up=self._on_hang_up, on_exit=self._on_exit
        )

    @property
    def pid(self) -> int:
        """The process, which is also its group and its session."""
        return self._process.pid

    @property
    def stderr(self) -> bytes:
        """The last of stderr since `forget_stderr`."""
        return self._process.stderr

    def forget_stderr(self) -> None:
        """A new proof begins."""
        self._process.forget_stderr()

    async def ask(self, command: bytes, timeout: float) -> bytes:
        """Send one command and return its answer, undecoded. One caller at a time.

        Args:
            command: As `protocol` encodes it.
            timeout: Seconds from now.

        Raises:
            ReplFailure: What went wrong, now or since the last answer. The process is killed.
        """
        if self.failure is None and self._process.sending:
            self._end(ChannelBroken("The REPL answered before it had read the whole command."))
        if self.failure is not None:
            raise self.failure
        self._waiter = self._loop.create_future()
        self._deadline = time.monotonic() + timeout
        self._cpu_allowed, self._cpu_at_first = timeout * (self._limits.cores or math.inf), None
        self._timer = self._loop.call_later(min(timeout, LOOK_EVERY), self._on_time_out)
        self._process.write(command)
        try:
            return await self._waiter
        finally:
            self._timer.cancel()
            self._waiter = None

    def kill(self) -> None:
        """Kill the process group at once; `closed` waits until it is reaped. May be called again."""
        if self.failure is None:
            self.failure = ChannelBroken("The REPL was killed.")
        self._process.kill()

    async def closed(self) -> None:
        """Wait until the process is dead and reaped."""
        await self._process.gone()

    def _on_output(self, chunk: bytes) -> None:
        answers = self._splitter.feed(chunk)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            size = len(answers[0]) if answers else self._splitter.pending
            if size > self._max_answer_bytes:
                self._end(AnswerTooLarge(f"Lean's answer is larger than {self._max_answer_bytes} bytes."))
                return
            if not answers:
                return
            waiter.set_result(answers.pop(0))
        if answers or not self._splitter.clean:
            self._end(ChannelBroken("Something was written to the answer channel that nobody had asked for."))

    def _on_hang_up(self) -> None:
        self._end(ChannelBroken("The REPL closed its input or its output."))

    def _on_exit(self, returncode: int) -> None:
        self._end(Died(classify(returncode, self._process.stderr, wrapped=self._wrapped)))

    @property
    def memory(self) -> int:
        """Bytes that it used when it was last looked at, after an import or a proof."""
        return 0 if self._wear is None else self._wear.memory

    def read_memory(self) -> int:
        """Read how many bytes it uses now; `memory` then says the same."""
        memory = usage(self.pid).memory
        if self._wear is not None:
            self._wear.look(memory)
        return memory

    def imported(self) -> None:
        """The header is there: what is used from now on is the proofs'."""
        self._wear = Wear(WearLimits(self._limits.memory), usage(self.pid).memory)

    def worn(self) -> str | None:
        """Count one proof, and say why no other should run here; None: one may."""
        if self._wear is None or self.failure is not None:
            return None
        if self._wear.used():
            self._wear.look(usage(self.pid).memory)
        return self._wear.worn

    def _on_time_out(self) -> None:
        late = time.monotonic() - self._deadline
        if late >= 0:
            self._timed_out(late)
        elif failure := self._beyond_limits():
            self._end(failure)
        else:
            self._timer = self._loop.call_later(min(-late, LOOK_EVERY), self._on_time_out)

    def _beyond_limits(self) -> ReplFailure | None:
        """What the kernel's limits, which are those of one process each, have let through."""
        used, memory = usage(self.pid), self._limits.memory
        if memory is not None and used.memory > memory and exact_memory(self.pid) > memory:
            sentence = f"The REPL used more memory than the {memory // 1024**2} MiB that it may use."
            return Died(Death(Cause.MEMORY, sentence))
        # Not read before the first look, which most proofs never see.
        self._cpu_at_first = used.cpu if self._cpu_at_first is None else self._cpu_at_first
        if used.cpu - self._cpu_at_first > self._cpu_allowed:
            return TimedOut(f"Lean used more than the {self._cpu_allowed:.0f} s of CPU time that it may use.")
        return None

    def _timed_out(self, late: float) -> None:
        self._process.drain()
        if self._waiter is None or self._waiter.done():
            return
        if late > LATE:
            self._end(Overslept("The worker itself was stopped while Lean ran."))
        else:
            self._end(TimedOut("Lean did not answer in time."))

    def _end(self, failure: ReplFailure) -> None:
        if self.failure is None:
            self.failure = failure
        self._process.kill()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(failure)
