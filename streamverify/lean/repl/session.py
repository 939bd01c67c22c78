"""One REPL process and the conversation with it: a command goes out, one answer comes back, in time.

The channel is not trusted: bytes that nobody asked for end the session, as everything does that leaves it unclear
which answer belongs to which command. `commands` reads what the answers mean.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from streamverify.lean.repl.errors import (
    AnswerTooLarge,
    Cause,
    ChannelBroken,
    Death,
    Died,
    Killed,
    MemoryExceeded,
    ReplFailure,
    TimedOut,
    WorkerSuspended,
    classify,
)
from streamverify.lean.repl.memory_watch import memory_watch
from streamverify.lean.repl.process import ReplProcess
from streamverify.lean.repl.protocol import AnswerSplitter
from streamverify.lean.repl.usage import deepest_stack, private, tree, usage

if TYPE_CHECKING:
    from streamverify.lean.repl.command import ReplCommand

LATE_TIMEOUT_GRACE = 1.0
"""Seconds after which a time-out that fires is none: this process itself was stopped, or its loop was held up."""

CHECK_TIMEOUT = 10.0
"""Seconds for the answer to a command of our own, which takes Lean less than a millisecond."""
FIRST_PART = 1024 * 1024
"""Bytes that are kept of an answer that is too large: more of its messages than any topic takes, and read soon."""

LOOK_EVERY = 1.0
"""Seconds between two looks at the CPU time of a REPL that runs."""

_MIB = 1024**2

_MUCH_OF_IT = 4
"""One part in so many of the memory that a REPL may use is too much for a stack: 128 MiB of 512, 1 GiB of 4."""


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
        self._max_answer_bytes = max_answer_bytes
        self._loop = asyncio.get_running_loop()
        self._splitter = AnswerSplitter()
        self._waiter: asyncio.Future[bytes] | None = None
        # The command that is sent as soon as the first answer was read, and that answer with its seconds.
        self._check: bytes | None = None
        self._first: tuple[bytes, float] | None = None
        self._asked_at = 0.0
        self._deadline = 0.0
        self._cpu_allowed = 0.0
        self._cpu_at_first: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._process = ReplProcess(
            command, on_output=self._on_output, on_hang_up=self._on_hang_up, on_exit=self._on_exit
        )
        if self._limits.memory is not None:
            # From the first moment on: an import can need too much, and so can a task left behind, between proofs.
            memory_watch().add(self.pid, self._limits.memory, self._on_excess)

    @property
    def pid(self) -> int:
        """The process, which is also its group and its session."""
        return self._process.pid

    @property
    def stderr(self) -> bytes:
        """The last of stderr since `forget_stderr`."""
        return self._process.stderr

    def forget_stderr(self) -> None:
        """Forget what was written so far: a new proof begins."""
        self._process.forget_stderr()

    async def ask(self, command: bytes, timeout: float) -> bytes:
        """Send one command and return its answer, undecoded. One caller at a time.

        Args:
            command: As `protocol` encodes it.
            timeout: Seconds from now.

        Raises:
            ReplFailure: What went wrong, now or since the last answer. The process is killed.
        """
        self._refuse_unread()
        if self.failure is not None:
            raise self.failure
        self._waiter = self._loop.create_future()
        self._allow(timeout)
        self._timer = self._loop.call_later(min(timeout, LOOK_EVERY), self._on_time_out)
        self._process.write(command)
        try:
            return await self._waiter
        finally:
            self._timer.cancel()
            self._waiter = None

    async def ask_and_check(
        self, command: bytes, timeout: float, check: bytes
    ) -> tuple[bytes, float, bytes | ReplFailure]:
        """Send a command, and `check` as soon as the answer to it was read; never before, or the command could read it.

        The check goes out from where the answer was read: the caller is woken once, when both answers are there.

        Args:
            command: As `protocol` encodes it.
            timeout: Seconds for the first answer; the second has `CHECK_TIMEOUT`.
            check: The command that follows.

        Returns:
            The first answer, its seconds, and the second answer, or why there is none.

        Raises:
            ReplFailure: There is no first answer. The process is killed.
        """
        self._check, self._first, self._asked_at = check, None, time.monotonic()
        try:
            second: bytes | ReplFailure = await self.ask(command, timeout)
        except ReplFailure as failure:
            if self._first is None:
                raise
            second = failure
        finally:
            self._check = None
        assert self._first is not None  # noqa: S101 - the second answer comes after it
        return *self._first, second

    def _allow(self, timeout: float) -> None:
        """Count the time of one command, and the CPU time that it may use, from now on."""
        self._deadline = time.monotonic() + timeout
        self._cpu_allowed, self._cpu_at_first = timeout * (self._limits.cores or math.inf), None

    def _refuse_unread(self) -> None:
        """End a session whose REPL has answered a command that it has not read to its end."""
        if self.failure is None and self._process.sending:
            self._end(ChannelBroken("The REPL answered before it had read the whole command."))

    def kill(self) -> None:
        """Kill the process group at once; `closed` waits until it is reaped. May be called again.

        Whoever waits for an answer hears of it now: nothing more is read that could tell.
        """
        self._end(Killed("The REPL was killed."))

    async def close(self) -> None:
        """Kill the process group and wait until it is reaped."""
        self.kill()
        await self.closed()

    async def closed(self) -> None:
        """Wait until the process is dead and reaped."""
        await self._process.gone()

    def _on_output(self, chunk: bytes) -> None:
        """Hand the answer to who waits for it. Whatever else was written ends the session."""
        answers = self._splitter.feed(chunk)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            # Ended before it is complete: nothing that is larger goes into a result, or into memory.
            size = len(answers[0]) if answers else self._splitter.pending
            if size > self._max_answer_bytes:
                start = answers[0][:FIRST_PART] if answers else self._splitter.start(FIRST_PART)
                self._end(AnswerTooLarge(f"Lean's answer is larger than {self._max_answer_bytes} bytes.", start))
                return
            if not answers:
                return
            # One command, one answer. With more than that nobody can say which of them is Lean's: see below.
            answer = answers.pop(0)
            if self._check is None:
                waiter.set_result(answer)
            elif not answers and self._splitter.clean:
                # Only now, when the process can no longer have read the check before it answered.
                self._first, check, self._check = (answer, time.monotonic() - self._asked_at), self._check, None
                self._refuse_unread()
                self._allow(CHECK_TIMEOUT)
                self._process.write(check)
        if answers or not self._splitter.clean:
            self._end(ChannelBroken("Something was written to the answer channel that nobody had asked for."))

    def _on_hang_up(self) -> None:
        self._end(ChannelBroken("The REPL closed its input or its output."))

    def _on_exit(self, returncode: int) -> None:
        self._end(Died(classify(returncode, self._process.stderr, wrapped=self._wrapped)))

    def _on_time_out(self) -> None:
        """Look at the CPU time of a command that runs, and end the session when its time is over."""
        late = time.monotonic() - self._deadline
        if late >= 0:
            # The answer may be there, and this loop may not have looked yet.
            self._process.drain()
            if self._waiter is None or self._waiter.done():
                return
            # Nobody knows how long Lean ran where this process itself was stopped: that is not held against the proof.
            if late > LATE_TIMEOUT_GRACE:
                self._end(WorkerSuspended("The worker itself was stopped while Lean ran."))
            else:
                self._end(TimedOut("Lean did not answer in time."))
            return
        used = usage(self.pid).cpu
        # Not read before the first look, which most proofs never see.
        self._cpu_at_first = used if self._cpu_at_first is None else self._cpu_at_first
        if used - self._cpu_at_first > self._cpu_allowed:
            self._end(TimedOut(f"Lean used more than the {self._cpu_allowed:.0f} s of CPU time that it may use."))
        else:
            self._timer = self._loop.call_later(min(-late, LOOK_EVERY), self._on_time_out)

    def _on_excess(self, used: int) -> None:
        """End a REPL that uses more memory than it may. What uses it says whether it crashed or needs more."""
        allowed = self._limits.memory or 0
        sentence = f"The REPL used {used // _MIB} MiB of memory, more than the {allowed // _MIB} MiB of MEMORY_PER_REPL"
        # A thread of Lean may use 1 GiB of stack, so a runaway recursion may meet this limit before its own.
        heaviest = max(tree(self.pid), key=private)
        with suppress(ProcessLookupError, PermissionError):
            # Its mappings take a while to read, and it may take memory meanwhile.
            os.kill(heaviest, signal.SIGSTOP)
        # What a recursion has filled is one stack; what a proof needs lies in the heap.
        stack = deepest_stack(heaviest)
        if stack >= allowed / _MUCH_OF_IT:
            sentence = (
                f"{sentence}; {stack // _MIB} MiB of that are the stack of one thread, as of a runaway recursion."
            )
            self._end(MemoryExceeded(Death(Cause.CRASH, sentence)))
        else:
            self._end(MemoryExceeded(Death(Cause.MEMORY, f"{sentence}.")))

    def _end(self, failure: ReplFailure) -> None:
        # The first failure is the cause; what follows (a closed pipe, an exit) is its consequence.
        if self.failure is None:
            self.failure = failure
        self._kill()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(failure)

    def _kill(self) -> None:
        memory_watch().remove(self.pid)
        self._process.kill()
