"""A record that could not be answered under a custom_id, or that kept crashing its worker, as a dead letter.

The original key, value, headers and timestamp go to the dead letter topic as they came; what went wrong is told in
text headers, as Kafka Connect and Kafka Streams do it.
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
"""Bytes that our Kafka headers add to a record at most, names included: the dead letter topic must take records that
much larger than the request topic."""

_LEFT_OUT = "(its value is left out)"
_MAX_MESSAGE = 1024
_MAX_STACK_TRACE = 4096
_MAX_NAME = 256


class Stage(StrEnum):
    """The stage at which the record failed."""

    DECODE = "decode"
    """Its value could not be read."""
    ROUTE = "route"
    """The router could not read its value, or the request topic did not take it."""
    VERIFY = "verify"
    """It was running each time that its worker died, the last times alone."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of the dead letter topic. `source` says where the original lies, and has its timestamp."""

    key: bytes | None
    value: bytes | None
    kafka_headers: Sequence[tuple[str, bytes | None]]
    """The original's, without those that an earlier failure added."""
    source: Source
    group: str
    """The consumer group that gave it up."""
    stage: str
    """One of `Stage`; a newer version may know more."""
    exception_class: str
    message: str
    stack_trace: str
    attempts: int
    """How many times it was tried."""

    @property
    def timestamp(self) -> int:
        """The timestamp of the original record, which the dead letter gets, too: milliseconds since the epoch."""
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
        """The dead letter for a record that `error` ended."""
        kind = type(error)
        return cls(
            key=key,
            value=value,
            kafka_headers=_foreign(kafka_headers),
            source=source,
            group=_head(group, _MAX_NAME),
            stage=stage,
            exception_class=_head(f"{kind.__module__}.{kind.__qualname__}", _MAX_NAME),
            message=_head(str(error), _MAX_MESSAGE),
            stack_trace=_tail("".join(traceback.format_exception(error)), _MAX_STACK_TRACE),
            attempts=attempts,
        )

    def emptied(self) -> Self:
        """Without the original's key, value and headers, for a topic that does not take them.

        `source` says where they lie.
        """
        message = _head(f"{_LEFT_OUT} {self.message}", _MAX_MESSAGE)
        return replace(self, key=b"", value=None, kafka_headers=(), message=message)

    @property
    def is_emptied(self) -> bool:
        """Whether the original is left out; a value that is null may just as well have come so."""
        return self.value is None and self.message.startswith(_LEFT_OUT)

    def filled(self, key: bytes | None, value: bytes | None, kafka_headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """The letter with the original in it, found where `source` says."""
        return replace(self, key=key, value=value, kafka_headers=_foreign(kafka_headers))

    def record_headers(self) -> list[tuple[str, bytes | None]]:
        """The original's headers, then ours, each value UTF-8 text."""
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
        return [*_foreign(self.kafka_headers), *((PREFIX + name, _utf8(str(text))) for name, text in ours.items())]

    @classmethod
    def from_record(
        cls, *, key: bytes | None, value: bytes | None, kafka_headers: Iterable[tuple[str, bytes | None]]
    ) -> Self:
        """Read a record of the dead letter topic.

        Raises:
            UndecodableDeadLetter: One of our headers is missing, or is not a number where a number is due.
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
            kafka_headers=_foreign(kafka_headers),
            source=_source(ours),
            group=_text(ours, "group"),
            stage=_text(ours, "stage"),
            exception_class=_text(ours, "exception.class.name"),
            message=_text(ours, "exception.message"),
            stack_trace=_text(ours, "exception.stacktrace"),
            attempts=_number(ours, "attempts"),
        )


def _foreign(kafka_headers: Iterable[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes | None], ...]:
    """All but ours: a dead letter that was replayed and failed again tells of its last failure only."""
    return tuple((name, value) for name, value in kafka_headers if not name.startswith(PREFIX))


def _source(ours: dict[str, str]) -> Source:
    numbers = {name: _number(ours, name) for name in ("partition", "offset", "timestamp")}
    try:
        return Source(topic=_text(ours, "topic"), **numbers)
    except ValidationError:
        raise UndecodableDeadLetter(
            "the record is no dead letter of streamverify: its headers name no place in a Kafka topic"
        ) from None


def _text(ours: dict[str, str], name: str) -> str:
    if name not in ours:
        raise UndecodableDeadLetter(f"the record is no dead letter of streamverify: it has no header {PREFIX}{name}")
    return ours[name]


def _number(ours: dict[str, str], name: str) -> int:
    text = _text(ours, name)
    if not re.fullmatch("-?[0-9]{1,19}", text):
        raise UndecodableDeadLetter(
            f"the record is no dead letter of streamverify: {PREFIX}{name} is {text[:40]!r}, not a number"
        )
    return int(text)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _head(text: str, size: int) -> str:
    """The beginning of a text, at most `size` bytes of UTF-8."""
    return _utf8(text)[:size].decode("utf-8", "ignore")


def _tail(text: str, size: int) -> str:
    """The end of a text, at most `size` bytes of UTF-8: the last calls of a stack trace say most."""
    return _utf8(text)[-size:].decode("utf-8", "ignore")
