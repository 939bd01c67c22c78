"""Every error that streamverify raises on purpose, in one tree.

`exit_code` is what the command line ends with when the error reaches it (README, "Exit codes").
"""

from __future__ import annotations

from typing import Any


class StreamVerifyError(Exception):
    """Something went wrong that a person can act on; its text says what, where and what to do."""

    exit_code = 1


class SettingsError(StreamVerifyError):
    """A setting is wrong, unknown here, or contradicts another."""

    exit_code = 2


class BrokerUnavailable(StreamVerifyError):
    """No Kafka broker answered, or the one that did lacks something we need."""

    exit_code = 4


class ReplUnavailable(StreamVerifyError):
    """The configured REPL is not there, does not start, or does not answer."""

    exit_code = 4


class ResultRefused(StreamVerifyError):
    """The broker refused a record even after everything optional was left out of it."""

    exit_code = 4


class WorkerStuck(StreamVerifyError):
    """The worker gave itself up so that its supervisor can start it anew."""

    exit_code = 5


class UndecodableRequest(StreamVerifyError):
    """A record that cannot be answered, because no custom_id can be read from it: a dead letter."""


class WorkersDied(StreamVerifyError):
    """A proof was running, at last alone, each time that a worker died: a dead letter, and a result."""


class RefusedRequest(StreamVerifyError):
    """A request with a readable custom_id that is answered and never run.

    `metadata` is the request's where it could be read and is valid: the answer returns it as it was sent.
    """

    def __init__(self, message: str, *, custom_id: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.custom_id = custom_id
        self.metadata = metadata


class InvalidRequest(RefusedRequest):
    """A field is wrong, or the value is JSON only to a lenient reader; the text is one sentence naming it."""


class RequestTooLarge(RefusedRequest):
    """The proof, with its statement, has more bytes than the worker takes."""


class UndecodableResult(StreamVerifyError):
    """The value of a record of the result topic is no ProofResult."""


class UndecodableDeadLetter(StreamVerifyError):
    """A record of the dead letter topic lacks the headers that say where it came from."""


class UndecodableOffsetMap(StreamVerifyError):
    """The metadata of a commit is no offset map of its place: foreign, damaged, or of a newer version.

    It costs nothing but repeats: reading goes on from the committed offset, and every record after it is new.
    """


class HeaderError(StreamVerifyError):
    """The import header is not Lean. `line` is 1-based, `column` counts code points from 0, as Lean does."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
