"""Dead letters: records that could not be answered under a custom_id, and proofs that kept crashing their worker.

The original key, value, Kafka headers and timestamp go to the dead letter topic as they came. Further Kafka headers say
in text what went wrong, as Kafka Connect and Kafka Streams do it.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import ValidationError

from streamverify.core.errors import UndecodableDeadLetter
from streamverify.core.messages.models import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

PREFIX = "__streamverify.errors."

MAX_HEADER_BYTES = 8 * 1024
"""Bytes that our Kafka headers add to a record at most, names included. The dead letter topic must take records
that are so much larger than those of the request topic."""

_LEFT_OUT = "(its value is left out)"
_MAX_MESSAGE = 1024
_MAX_STACK_TRACE = 4096
_MAX_NAME = 256


class Stage(StrEnum):
    """The stage at which the record failed."""

    DECODE = "decode"
    """The worker could not read its value."""
    ROUTE = "route"
    """The router could not read its value, or the request topic did not accept it."""
    VERIFY = "verify"
    """It was running each time that its worker died, the last times while nothing else ran."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of the dead letter topic. `source` names the original record, and has its timestamp."""

    key: bytes | None
    value: bytes | None
    kafka_headers: Sequence[tuple[str, bytes | None]]
    """The Kafka headers of the original, without those that an earlier failure added."""
    source: Source
    group: str
    """The consumer group whose member gave the record up."""
    stage: str
    """One of `Stage`, or one that only a newer version knows."""
    exception_class: str
    message: str
    stack_trace: str
    attempts: int
    """The number of times that it was tried."""

    @property
    def timestamp(self) -> int:
        """The timestamp of the original record, in milliseconds since 1970; the dead letter has the same."""
        return self.source.timestamp

    @classmethod
    def of(  # noqa: PLR0913 - a record has that many parts
        cls,
        error: BaseException,
        *,
        key: bytes | None,
        value: bytes | None,
        kafka_headers: Iterable[tuple[str, bytes | None]],
        source: Source,
        group: str,
        stage: Stage,
        attempts: int = 1,
    ) -> Self:
        """Make the dead letter for a record that ended in `error`."""
        kind = type(error)
        return cls(
            key=key,
            value=value,
            kafka_headers=_without_ours(kafka_headers),
            source=source,
            group=_head(group, _MAX_NAME),
            stage=stage,
            exception_class=_head(f"{kind.__module__}.{kind.__qualname__}", _MAX_NAME),
            message=_head(str(error), _MAX_MESSAGE),
            # Its end: the last calls of a stack trace say most.
            stack_trace=_utf8("".join(traceback.format_exception(error)))[-_MAX_STACK_TRACE:].decode("utf-8", "ignore"),
            attempts=attempts,
        )

    def emptied(self) -> Self:
        """Leave out the original's key, value and Kafka headers, for a topic that does not take so large a record.

        `source` still says where they are.
        """
        message = _head(f"{_LEFT_OUT} {self.message}", _MAX_MESSAGE)
        return replace(self, key=b"", value=None, kafka_headers=(), message=message)

    @property
    def is_emptied(self) -> bool:
        """True if the original was left out. A null value alone does not say so: it may have been a tombstone."""
        return self.value is None and self.message.startswith(_LEFT_OUT)

    def filled(self, key: bytes | None, value: bytes | None, kafka_headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """Put the original, which was found where `source` says, back into the letter."""
        return replace(self, key=key, value=value, kafka_headers=_without_ours(kafka_headers))

    def all_kafka_headers(self) -> list[tuple[str, bytes | None]]:
        """List the Kafka headers of the dead letter: the original's, then ours, whose values are text in UTF-8."""
        ours = {
            "topic": self.source.topic,
            "partition": self.source.partition,
            "offset": self.source.offset,
            "timestamp": self.source.timestamp,
            "group": self.group,
            "stage": self.stage,
            "exception.class.name": self.exception_class,
            "exception.message": self.message,
            "exception.stacktrace": self.stack_trace,
            "attempts": self.attempts,
        }
        return [*_without_ours(self.kafka_headers), *((PREFIX + name, _utf8(str(text))) for name, text in ours.items())]

    @classmethod
    def from_record(
        cls, *, key: bytes | None, value: bytes | None, kafka_headers: Iterable[tuple[str, bytes | None]]
    ) -> Self:
        """Read a record of the dead letter topic.

        Raises:
            UndecodableDeadLetter: One of our Kafka headers is missing, or is not the number that it should be.
        """
        kafka_headers = list(kafka_headers)
        ours = {
            name.removeprefix(PREFIX): (text or b"").decode("utf-8", "replace")
            for name, text in kafka_headers
            if name.startswith(PREFIX)
        }
        return cls(
            key=key,
            value=value,
            kafka_headers=_without_ours(kafka_headers),
            source=_source(ours),
            group=_text(ours, "group"),
            stage=_text(ours, "stage"),
            exception_class=_text(ours, "exception.class.name"),
            message=_text(ours, "exception.message"),
            stack_trace=_text(ours, "exception.stacktrace"),
            attempts=_number(ours, "attempts"),
        )


def _without_ours(kafka_headers: Iterable[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes | None], ...]:
    """Leave out our own Kafka headers: a letter that was replayed and failed again tells only of its last failure."""
    return tuple((name, value) for name, value in kafka_headers if not name.startswith(PREFIX))


def _source(ours: dict[str, str]) -> Source:
    numbers = {name: _number(ours, name) for name in ("partition", "offset", "timestamp")}
    try:
        return Source(topic=_text(ours, "topic"), **numbers)
    except ValidationError:
        raise UndecodableDeadLetter(
            "the record is no dead letter of streamverify: its Kafka headers do not name a record of a Kafka topic"
        ) from None


def _text(ours: dict[str, str], name: str) -> str:
    if name not in ours:
        raise UndecodableDeadLetter(f"the record is no dead letter of streamverify: it has no header {PREFIX}{name}")
    return ours[name]


def _number(ours: dict[str, str], name: str) -> int:
    text = _text(ours, name)
    # Not `int` alone: it takes blanks, underscores and other scripts' digits, too. 19 digits are those of 64 bits.
    if not re.fullmatch("-?[0-9]{1,19}", text):
        raise UndecodableDeadLetter(
            f"the record is no dead letter of streamverify: {PREFIX}{name} is {text[:40]!r}, not a number"
        )
    return int(text)


def _utf8(text: str) -> bytes:
    # The text of an error may repeat half a surrogate pair that somebody sent.
    return text.encode("utf-8", "replace")


def _head(text: str, size: int) -> str:
    """Cut a text to its beginning, at most `size` bytes of UTF-8."""
    return _utf8(text)[:size].decode("utf-8", "ignore")
