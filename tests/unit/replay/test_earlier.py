"""What an earlier process had sent is found on the request topic."""

from __future__ import annotations

from replay_fakes import Broker, FakeWire, Fate, MemoryJournal

from streamverify.client.requests import REQUEST_ID
from streamverify.replay.earlier import find_unanswered


def send(broker: Broker, request_id: str, custom_id: str = "p", value: bytes | None = None) -> None:
    body = b'{"custom_id": "%s"}' % custom_id.encode() if value is None else value
    broker.send(request_id, custom_id, body, [(REQUEST_ID, request_id.encode())])


async def test_what_has_no_row_is_found_in_the_order_in_which_it_was_sent() -> None:
    broker, journal = Broker(1), MemoryJournal()
    for number in (4, 2, 7, 3):
        send(broker, f"0011-{number}", f"p{number}")
    journal.rows = {2: {}, 7: {}}
    found, highest = await find_unanswered(FakeWire(broker, Fate()), journal, "0011")
    assert {number: sent.ticket.custom_id for number, sent in found.items()} == {4: "p4", 3: "p3"}
    times = [sent.ticket.timestamp for sent in found.values()]
    assert times == sorted(times)
    # Those with a row count too: up to there the journal is asked for each attempt.
    assert highest == 7


async def test_other_senders_and_records_that_are_no_requests_are_passed_over() -> None:
    broker, journal = Broker(1), MemoryJournal()
    send(broker, "0012-1")
    send(broker, "0011-x")
    assert await find_unanswered(FakeWire(broker, Fate()), journal, "0011") == ({}, -1)
    send(broker, "0011-1", value=b"no json")
    found, highest = await find_unanswered(FakeWire(broker, Fate()), journal, "0011")
    assert (found[1].ticket.custom_id, found[1].key, highest) == ("", b"p", 1)


async def test_two_records_of_one_attempt_are_one_unanswered_attempt() -> None:
    broker, journal = Broker(1), MemoryJournal()
    send(broker, "0011-5", "first")
    send(broker, "0011-5", "second")
    found, _ = await find_unanswered(FakeWire(broker, Fate()), journal, "0011")
    assert len(found) == 1
