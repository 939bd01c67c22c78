"""One REPL process and the conversation with it: a command goes out, one answer comes back, in time.

The channel is not trusted: bytes that nobody asked for end the session, as everything does that leaves it unclear
which answer belongs to which command. `commands` reads what the answers mean.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from streamverify.lean.repl.errors import AnswerTooLarge, ChannelBroken, Died, Killed, ReplFailure, classify
from streamverify.lean.repl.memory_watch import exceeded, memory_watch
from streamverify.lean.repl.process import ReplProcess
from streamverify.lean.repl.protocol import AnswerSplitter
from streamverify.lean.repl.time_limit import TimeLimit

if TYPE_CHECKING:
    from streamverify.lean.repl.command import ReplCommand

CHECK_TIMEOUT = 10.0
"""Seconds for the answer to a command of our own, which takes Lean less than a millisecond."""
FIRST_PART = 1024 * 1024
"""Bytes that are kept of an answer that is too large: more of its messages than any topic takes, and read soon."""


class ReplSession:
    """A running REPL, and the commands that it gets, one at a time.

    IDLE --ask--> ASKED --answer--> IDLE
    IDLE --ask_and_check--> ASKED --answer--> CHECKED --answer--> IDLE
    any --surplus output, time over, too much memory, end of the process, kill--> ENDED

    In `ASKED` and `CHECKED` there is a waiter. `ENDED` is for ever: `failure` says why, and the process is dead or
    about to be.
    """

    def __init__(self, command: ReplCommand, *, max_answer_bytes: int) -> None:
        """Start the process.

        Raises:
            StartFailed: The system cannot start the executable.
        """
        self.failure: ReplFailure | None = None
        self._wrapped = command.wrapped
        self._max_answer_bytes = max_answer_bytes
        self._splitter = AnswerSplitter()
        self._waiter: asyncio.Future[bytes] | None = None
        # The command that is sent as soon as the first answer was read, and that answer with its seconds.
        self._check: bytes | None = None
        self._first: tuple[bytes, float] | None = None
        self._asked_at = 0.0
        self._process = ReplProcess(
            command, on_output=self._on_output, on_hang_up=self._on_hang_up, on_exit=self._on_exit
        )
        self.pid = self._process.pid
        """The process, which is also its group and its session."""
        self.stderr = self._process.stderr
        """The part of its stderr that is kept; a new proof begins with `forget`."""
        limits = command.limits
        self._time = TimeLimit(self.pid, cores=limits.cores, is_running=self._is_running, on_over=self._end)
        if (allowed := limits.memory) is not None:
            # From the first moment on: an import can need too much, and so can a task left behind, between proofs.
            memory_watch().add(self.pid, allowed, lambda used: self._end(exceeded(self.pid, used, allowed)))

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
        self._waiter = asyncio.get_running_loop().create_future()
        self._time.start(timeout)
        self._process.write(command)
        try:
            return await self._waiter
        finally:
            self._time.stop()
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

    def _refuse_unread(self) -> None:
        """End a session whose REPL has answered a command that it has not read to its end."""
        if self.failure is None and self._process.sending:
            self._end(ChannelBroken("The REPL answered before it had read the whole command."))

    def kill(self) -> None:
        """Kill the process group at once; `close` waits until it is reaped. May be called again.

        Whoever waits for an answer hears of it now: nothing more is read that could tell.
        """
        self._end(Killed("The REPL was killed."))

    async def close(self) -> None:
        """Kill the process group and wait until it is reaped."""
        self.kill()
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
                self._time.start(CHECK_TIMEOUT)
                self._process.write(check)
        if answers or not self._splitter.clean:
            self._end(ChannelBroken("Something was written to the answer channel that nobody had asked for."))

    def _on_hang_up(self) -> None:
        self._end(ChannelBroken("The REPL closed its input or its output."))

    def _on_exit(self, returncode: int) -> None:
        self._end(Died(classify(returncode, self.stderr.read(), wrapped=self._wrapped)))

    def _is_running(self) -> bool:
        """Read what has arrived, and return whether an answer is still to come."""
        self._process.read_now()
        return self._waiter is not None and not self._waiter.done()

    def _end(self, failure: ReplFailure) -> None:
        # The first failure is the cause; what follows (a closed pipe, an exit) is its consequence.
        if self.failure is None:
            self.failure = failure
        memory_watch().remove(self.pid)
        self._process.kill()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(failure)
