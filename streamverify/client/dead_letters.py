"""Dead letters as the client sees them: which ones are meant, and what a replay sends.

Does no I/O but through the `DeadLetters` that it is given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import UndecodableDeadLetter
from streamverify.core.messages.dead_letter import DeadLetter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from streamverify.client.dead_letter_topic import DeadLetters

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


@dataclass(slots=True)
class ReplayReport:
    """The letters that a replay sent, or would send, and those that it left out, each with the reason."""

    sent: list[Letter] = field(default_factory=list)
    skipped: list[tuple[Letter, str]] = field(default_factory=list)

    @property
    def found(self) -> list[Letter]:
        """Every letter that was asked for and is there."""
        return [*self.sent, *(letter for letter, _ in self.skipped)]


async def replay(  # noqa: PLR0913 - each is a choice of its own
    letters: DeadLetters,
    wanted: Filter,
    request_topic: str,
    *,
    max_replays: int = 3,
    dry_run: bool = False,
    report: ReplayReport | None = None,
) -> ReplayReport:
    """Send requests from their dead letters to the request topic again, as they were sent first.

    Args:
        letters: The dead letter topic.
        wanted: Which letters.
        request_topic: Where a request must have come from; `letters` sends it there again.
        max_replays: Leave out what was replayed so often.
        dry_run: Report what would be sent, and send nothing.
        report: Filled while it goes on, for who wants to know how far it came; it is returned, too.

    Raises:
        BrokerUnavailable: One could not be delivered; those before it may have been.
    """
    report = ReplayReport() if report is None else report
    found = [letter async for letter in letters.read(wanted.since) if wanted.takes(letter)]

    async def originals() -> AsyncIterator[Original]:
        for letter in found:
            original = await _original(letters, letter, request_topic, max_replays)
            if isinstance(original, str):
                report.skipped.append((letter, original))
            else:
                report.sent.append(letter)
                yield original

    if dry_run:
        async for _ in originals():
            pass
    else:
        await letters.send(originals())
    return report


async def _original(letters: DeadLetters, letter: Letter, request_topic: str, max_replays: int) -> Original | str:
    """Return the request of a letter, or a sentence that says why it is not sent."""
    content = letter.content
    if content is None:
        return letter.error
    source = content.source
    if source.topic != request_topic:
        return f"it came from {source.topic}, not from {request_topic}: see --request-topic"
    if letter.replays >= max_replays:
        times = "1 time" if letter.replays == 1 else f"{letter.replays} times"
        return f"it was replayed {times} already (--max-replays {max_replays})"
    if content.is_emptied:
        # The dead letter topic did not take the original: its own topic may still have it.
        kept = await letters.original(source)
        if kept is None:
            return f"its value was too large to keep, and {source.topic} no longer has the request"
        content = content.filled(kept.key, kept.value, kept.kafka_headers)
    return replayed(content)
