"""Dead letters as the client sees them: what each says, which ones are meant, and the request to send again. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import UndecodableDeadLetter
from streamverify.core.messages.dead_letter import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Sequence

REPLAYS = "streamverify-replays"
"""The Kafka header that counts how often a record came back from the dead letters."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of the dead letter topic. `content` is None if it is no dead letter of ours; `error` then says why."""

    partition: int
    offset: int
    timestamp: int
    """The time at which the original request was sent, in milliseconds since the epoch."""
    content: DeadLetter | None
    error: str = ""

    @property
    def custom_id(self) -> str | None:
        """The custom_id of the request; None if none can be read."""
        found = self._request().get("custom_id")
        # A bool is an int for Python, and no id for anybody.
        return str(found) if type(found) in {str, int} else None

    @property
    def run(self) -> str | None:
        """The run of the request; None if none can be read."""
        found = self._request().get("run")
        return found if isinstance(found, str) else None

    def _request(self) -> dict[str, Any]:
        try:
            found = json.loads((self.content.value if self.content else None) or b"")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def replays(self) -> int:
        """The number of times that the request was replayed before it became this letter."""
        return _replays(self.content.kafka_headers) if self.content else 0

    @classmethod
    def of(cls, kafka_record: Any) -> Letter:
        """Read a record."""
        try:
            content = DeadLetter.from_record(
                key=kafka_record.key, value=kafka_record.value, kafka_headers=kafka_record.headers
            )
        except UndecodableDeadLetter as error:
            return cls(kafka_record.partition, kafka_record.offset, kafka_record.timestamp, None, str(error))
        return cls(kafka_record.partition, kafka_record.offset, kafka_record.timestamp, content)


@dataclass(frozen=True, slots=True)
class Original:
    """A request as it was sent first, to be sent again."""

    key: bytes | None
    value: bytes | None
    kafka_headers: list[tuple[str, bytes | None]]


def replayed(letter: DeadLetter) -> Original:
    """Return the request to send again: as it came, with one replay more in its count."""
    others = [pair for pair in letter.kafka_headers if pair[0] != REPLAYS]
    count = _replays(letter.kafka_headers) + 1
    return Original(letter.key, letter.value, [*others, (REPLAYS, str(count).encode("ascii"))])


def _replays(kafka_headers: Sequence[tuple[str, bytes | None]]) -> int:
    """Return the count in the header; 0 where it is missing or somebody else wrote nonsense there."""
    # Kafka allows a header more than once; by convention the last one counts.
    for name, value in reversed(kafka_headers):
        if name == REPLAYS:
            return int(value) if value and value.isdigit() and len(value) < 10 else 0  # noqa: PLR2004 - digits
    return 0


@dataclass(frozen=True, slots=True)
class Selection:
    """The letters of one partition from `first` to `last`; None: to the end."""

    partition: int
    first: int
    last: int | None

    def has(self, letter: Letter) -> bool:
        """Tell whether the selection names this letter."""
        if letter.partition != self.partition or letter.offset < self.first:
            return False
        return self.last is None or letter.offset <= self.last


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects letters by time (milliseconds since 1970), stage, partition and offset, and what their request says."""

    since: int = 0
    stage: str | None = None
    selected: Sequence[Selection] = ()
    until: int | None = None
    ids: frozenset[str] = frozenset()
    prefix: str = ""
    run: str | None = None

    def takes(self, letter: Letter) -> bool:
        """Tell whether the letter is one of them."""
        if self.stage is not None and (letter.content is None or letter.content.stage != self.stage):
            return False
        if letter.timestamp < self.since or (self.until is not None and letter.timestamp >= self.until):
            return False
        if self.selected and not any(selection.has(letter) for selection in self.selected):
            return False
        if not self.ids and not self.prefix and self.run is None:
            return True  # the request need not be read
        custom_id = letter.custom_id or ""
        return (
            (not self.ids or custom_id in self.ids)
            and custom_id.startswith(self.prefix)
            and (self.run is None or letter.run == self.run)
        )
