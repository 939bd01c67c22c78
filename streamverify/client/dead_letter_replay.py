"""Sends requests from their dead letters again, and says which were sent and which were left out, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamverify.client.dead_letters import replayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.client.dead_letter_topic import DeadLetters
    from streamverify.client.dead_letters import Filter, Letter, Original


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
