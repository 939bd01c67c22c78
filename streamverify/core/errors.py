"""Every error that streamverify raises on purpose, in one tree.

`exit_code` is what the command line ends with when the error reaches it (README, "Exit codes").
"""

from __future__ import annotations

from typing import Any


def at(line: int, column: int) -> str:
    """Word a position in a Lean file for people. It is written in one way everywhere: `line 3, column 14`."""
    return f"line {line}, column {column}"


class StreamVerifyError(Exception):
    """Something went wrong that a person can act on; its text says what, where and what to do."""

    exit_code = 1


class SettingsError(StreamVerifyError):
    """A setting is wrong, unknown, or contradicts another."""

    exit_code = 2


class ClientMisused(StreamVerifyError):
    """A client was used where it cannot be: in a fork of its process, in a second event loop, after it was closed.

    Or it was asked to cancel what no request can be.
    """

    exit_code = 2


class BrokerUnavailable(StreamVerifyError):
    """No Kafka broker answered, or the one that did lacks something we need."""

    exit_code = 4


class GatewayUnavailable(StreamVerifyError):
    """No HTTP gateway answers, or it refuses what it is asked."""

    exit_code = 4


class ReplUnavailable(StreamVerifyError):
    """The configured REPL is not there, does not start, or does not answer."""

    exit_code = 4


class ResultRefused(StreamVerifyError):
    """The broker refused a record even after everything optional was left out of it."""

    exit_code = 4


class WorkerStuck(StreamVerifyError):
    """The worker cannot go on and ends itself, so that its supervisor starts it again."""

    exit_code = 5


class WorkerFenced(StreamVerifyError):
    """Another worker has joined the group under this one's `group_instance_id`. The newer one goes on."""

    exit_code = 6


class UndecodableRequest(StreamVerifyError):
    """No custom_id can be read from a record, so it cannot be answered and becomes a dead letter."""


class WorkersDied(StreamVerifyError):
    """A proof was running each time that a worker died, the last times alone. It gets a result and a dead letter."""


class RefusedRequest(StreamVerifyError):
    """A request with a readable custom_id is answered without being run.

    `metadata`, `run` and `group` are those of the request, each if it could be read and is valid: the answer returns
    them as they were sent.
    """

    def __init__(
        self,
        message: str,
        *,
        custom_id: str,
        metadata: dict[str, Any] | None = None,
        run: str | None = None,
        group: str | None = None,
    ) -> None:
        super().__init__(message)
        self.custom_id = custom_id
        self.metadata = metadata
        self.run = run
        self.group = group


class InvalidRequest(RefusedRequest):
    """A field is wrong, or only a lenient reader can read the value. The text is one sentence that says which."""


class RequestTooLarge(RefusedRequest):
    """The proof, with its statement, has more bytes than the worker takes."""


class UndecodableResult(StreamVerifyError):
    """The value of a record of the result topic is no ProofResult."""


class UndecodableDeadLetter(StreamVerifyError):
    """A record of the dead letter topic lacks the Kafka headers that say where it came from."""


class UndecodableOffsetMap(StreamVerifyError):
    """The metadata of a commit is no offset map of that partition and offset: foreign, damaged, or of a newer version.

    It costs only repeats: reading goes on from the committed offset, and every record after it counts as new.
    """


class HeaderError(StreamVerifyError):
    """The import header is not Lean. `line` is 1-based, `column` counts code points from 0, as Lean does."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class InvalidQuery(StreamVerifyError):
    """A request to the results table asks for what there is not. The text is one sentence that says which parameter."""

    exit_code = 2


class NoInfotree(StreamVerifyError):
    """A result has no infotree, or not the one of the file that it was to be read with."""


class OutputRefused(StreamVerifyError):
    """The file that a command is to write cannot be written, or must not be."""

    exit_code = 2


class ReplayRefused(StreamVerifyError):
    """A replay cannot begin or go on: its state is another's, or in use, or its output cannot be written."""

    exit_code = 2


class Unscored(StreamVerifyError):
    """Completions of a model have no reward, as nothing could be found out about them."""

    exit_code = 3


class SourceError(StreamVerifyError):
    """A data set cannot be read: it is not there, not what its name says, damaged, or lacks a column."""

    exit_code = 2
