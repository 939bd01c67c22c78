"""How running a proof in a REPL can fail, apart from what Lean says about the proof. `tries` says what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamverify.core.messages.models import Message
    from streamverify.lean.repl.death import Death


class ReplFailure(Exception):
    """The process is of no more use; its text is one sentence for people."""


class StartFailed(ReplFailure):
    """The executable could not be started."""


class TimedOut(ReplFailure):
    """No answer came in the time that there was."""


class Overslept(ReplFailure):
    """The time-out fired late: this worker itself was stopped, and how long Lean ran is not known."""


class Silent(ReplFailure):
    """The proof was answered, and then the process did not answer the channel check."""


class Died(ReplFailure):
    """The process ended by itself."""

    def __init__(self, death: Death) -> None:
        super().__init__(death.sentence)
        self.death = death


class MemoryExceeded(Died):
    """The memory watch ended the process, because it used more than `MEMORY_PER_REPL`."""


class ChannelBroken(ReplFailure):
    """Something was on the answer channel that no REPL writes there, or the channel was closed."""


class AnswerTooLarge(ReplFailure):
    """The answer is longer than the configured maximum.

    `start` is its first part, `messages` those that `verify.run_body` found there: none for any other command.
    """

    def __init__(self, text: str = "", start: bytes = b"") -> None:
        super().__init__(text)
        self.start = start
        self.messages: list[Message] = []
        self.seconds = 0.0


class TooDeep(ReplFailure):
    """The answer is nested deeper than the decoder goes."""


class Refused(ReplFailure):
    """The REPL says that it did not run the command."""


class NoRecording(Refused):
    """The replay REPL has not recorded what it was asked; it is as good as before."""
