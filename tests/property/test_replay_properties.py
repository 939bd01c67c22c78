"""Whatever ends a replay, and however often: in the end each row has its verdict, and none has two."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from replay_fakes import TOO_LARGE, Broker, FakeWire, Fate, Killed, MemoryJournal, attempt, chunks

from streamverify.core.datasets.pace import Pace
from streamverify.core.datasets.resume import request_id
from streamverify.replay import journal as journal_module
from streamverify.replay.counts import NOT_SENT, ReplayCounts
from streamverify.replay.runner import Runner

REPLAY = "0011"
KINDS = st.sampled_from(["good"] * 6 + ["unusable", TOO_LARGE])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_COMMIT", 0.001)
    monkeypatch.setattr(journal_module, "_FULL", 3)


async def process(  # noqa: PLR0913, PLR0917 - each is drawn
    broker: Broker, journal: MemoryJournal, kinds: list[str], fate: Fate, in_flight: int, size: int
) -> ReplayCounts:
    """One process, from its start to its end or its death."""
    journal.fate = fate
    counted = ReplayCounts.of(journal.facts)
    runner = Runner(FakeWire(broker, fate), Pace(in_flight=in_flight), REPLAY, journal=journal, counts=counted)
    attempts = [attempt(number, kind) for number, kind in enumerate(kinds)]
    await runner.run(chunks(attempts, size))
    return counted


def run(*given: Any) -> ReplayCounts | None:
    # A task that raises a BaseException ends the event loop at once, as a kill ends a process.
    with suppress(Killed):
        return asyncio.run(process(*given))
    return None


@settings(deadline=None, max_examples=200)
@given(
    kinds=st.lists(KINDS, max_size=25),
    deaths=st.lists(st.integers(0, 120), max_size=4),
    in_flight=st.integers(1, 8),
    size=st.integers(1, 9),
    seed=st.integers(0, 2**16),
    bare=st.sampled_from([0.0, 0.3, 1.0]),
    repeats=st.sampled_from([0.0, 0.5]),
    foreign=st.booleans(),
)
def test_killed_at_any_moment_nothing_is_missing_and_nothing_sent_twice(  # noqa: PLR0913, PLR0917 - each is drawn
    kinds: list[str],
    deaths: list[int],
    in_flight: int,
    size: int,
    seed: int,
    bare: float,
    repeats: float,
    *,
    foreign: bool,
) -> None:
    broker, journal = Broker(seed, bare=bare, repeats=repeats), MemoryJournal()
    if foreign:
        # Another replay has the same ids, and another sender no request id.
        for number in range(len(kinds)):
            value = b'{"custom_id": "p%d"}' % number
            broker.send("", f"p{number}", value, [("streamverify-request-id", b"0012-%d" % number)])
            broker.send("", f"p{number}", value, [])
    for death in deaths:
        ended = run(broker, journal, kinds, Fate(death), in_flight, size)
        event("killed" if ended is None else "came to its end")
    counted = run(broker, journal, kinds, Fate(), in_flight, size)

    assert counted is not None
    assert sorted(journal.rows) == list(range(len(kinds)))
    for number, kind in enumerate(kinds):
        row = journal.rows[number]
        assert row["custom_id"] == attempt(number, kind).custom_id
        assert row["status"] == ("verified" if kind == "good" else None)
    good = {request_id(REPLAY, number) for number, kind in enumerate(kinds) if kind == "good"}
    assert Counter(filter(None, broker.sent)) == Counter(good)
    assert counted.done == Counter(
        {status: n for status, n in (("verified", kinds.count("good")), (NOT_SENT, len(kinds) - len(good))) if n}
    )


@settings(deadline=None, max_examples=200)
@given(
    count=st.integers(1, 20),
    deaths=st.lists(st.tuples(st.integers(0, 80), st.sampled_from(["kept", "deleted", "anew"])), max_size=4),
    seed=st.integers(0, 2**16),
)
def test_where_the_topics_lost_what_was_unread_it_is_sent_again(
    count: int, deaths: list[tuple[int, str]], seed: int
) -> None:
    broker, journal, kinds = Broker(seed), MemoryJournal(), ["good"] * count
    for death, fate in deaths:
        run(broker, journal, kinds, Fate(death), 4, 3)
        if fate != "kept":
            while broker._waiting:
                broker.work()
            for topic in (broker.requests, broker.results):
                topic.empty(anew=fate == "anew")
    assert run(broker, journal, kinds, Fate(), 4, 3) is not None
    assert {number: row["custom_id"] for number, row in journal.rows.items()} == {n: f"p{n}" for n in range(count)}
