"""Finds what an earlier process of a replay had sent and what of it has no row yet: it is on the request topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from streamverify.client.requests import REQUEST_ID, Ticket
from streamverify.core.datasets.resume import number_of

if TYPE_CHECKING:
    from streamverify.replay.journal import Journal
    from streamverify.replay.wire import Wire

_AT_ONCE = 2_000
"""Requests of which the journal is asked at once whether they have a row."""


class SentBefore(NamedTuple):
    """A request that an earlier process had sent, and the key of its record."""

    ticket: Ticket
    key: bytes


async def find_unanswered(wire: Wire, journal: Journal, replay: str) -> tuple[dict[int, SentBefore], int]:
    """Read the request topic for what earlier processes had sent.

    Args:
        wire: To Kafka.
        journal: Knows what has a row, and from which time on the unanswered requests are on the topic.
        replay: What all request ids of this replay begin with.

    Returns:
        The requests without a row by the numbers of their attempts, in the order in which they were sent; and the
        highest number that was found, -1 where none was.

    Raises:
        BrokerUnavailable: The topic cannot be read.
    """
    highest = -1
    unanswered: list[tuple[int, SentBefore]] = []
    read: dict[int, SentBefore] = {}

    def sort_out() -> None:
        answered = journal.answered(read)
        unanswered.extend(each for each in read.items() if each[0] not in answered)
        read.clear()

    async for record in wire.sent_since(journal.facts.get("look_from", 0)):
        name = next((value or b"" for name, value in record.headers if name == REQUEST_ID), b"")
        request_id = name.decode("ascii", "replace")
        number = number_of(replay, request_id)
        if number is not None:
            place = (record.topic, record.partition, record.offset, record.timestamp)
            read[number] = SentBefore(Ticket(_custom_id(record.value), request_id, *place), record.key or b"")
            highest = max(highest, number)
        # Some at a time: of millions that were answered nothing is kept.
        if len(read) >= _AT_ONCE:
            sort_out()
    sort_out()
    in_order: dict[int, SentBefore] = {}
    for number, sent in sorted(unanswered, key=lambda each: each[1].ticket.timestamp):
        # One may be there twice: where answers may have been lost, an earlier process has sent it again.
        in_order.setdefault(number, sent)
    return in_order, highest


def _custom_id(value: bytes | None) -> str:
    """Read the custom_id of a request of ours: its result is known by it where it comes without Kafka headers."""
    try:
        return str(orjson.loads(value or b"{}").get("custom_id", ""))
    except (orjson.JSONDecodeError, AttributeError):
        return ""
