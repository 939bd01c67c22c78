"""Which requests a cancellation ends, rule by rule, and its record. tests/property has the rules together."""

from __future__ import annotations

import pytest

from streamverify.core.groups.announcement import (
    decode_announcement,
    decode_cancellation,
    encode_announcement,
    encode_cancellation,
    is_cancellation,
)
from streamverify.core.groups.cancellation import MAX_LEAD, Cancellation, Cancellations, Names
from streamverify.core.groups.groups import Winner
from streamverify.core.groups.scope import caller_headers
from streamverify.core.job import Record, RecordId
from streamverify.core.messages.models import Assurance, ProofRequest, Source

NOW = 1_000_000.0
GOOD = b'{"consumer_group":"g","topic":"t","run":"r","group":null,"ids":[],"api_key":null,"ends":[5,0,7]}'


def record(
    partition: int = 0, offset: int = 4, *, headers: tuple[tuple[str, bytes], ...] = (), at: float = NOW
) -> Record:
    source = Source(topic="t", partition=partition, offset=offset, timestamp=int(at * 1000))
    return Record(RecordId(partition, offset, 0), source, None, b"", list(headers), received=0.0)


def request(custom_id: str = "a", run: str | None = "r", group: str | None = "p") -> ProofRequest:
    return ProofRequest(custom_id=custom_id, proof="p", run=run, group=group)


def cancelled(names: Names, **found: Record | ProofRequest) -> bool:
    known = Cancellations(consumer_group="g", topic="t")
    assert known.add(Cancellation("g", "t", names, (5, 0, 7), NOW))
    where, what = found.get("record", record()), found.get("request", request())
    assert isinstance(where, Record)
    assert isinstance(what, ProofRequest)
    return known.find(where, what) is not None


@pytest.mark.parametrize(
    ("where", "ended"),
    [
        (record(0, 4), True),
        (record(0, 5), False),
        (record(1, 0), False),
        (record(2, 6), True),
        (record(3, 0), False),
    ],
    ids=["the last that was there", "the first that came later", "an empty partition", "another", "a new partition"],
)
def test_only_what_was_on_the_topic_is_ended(where: Record, ended: bool) -> None:  # noqa: FBT001 - a case
    assert cancelled(Names(run="r"), record=where) is ended


@pytest.mark.parametrize(
    ("names", "ended"),
    [
        (Names(run="r"), True),
        (Names(run="R"), False),
        (Names(group="p"), True),
        (Names(group="q"), False),
        (Names(run="r", group="q"), False),
        (Names(run="r", group="p"), True),
        (Names(ids=frozenset({"x", "a"})), True),
        (Names(ids=frozenset({"x"})), False),
        (Names(run="r", ids=frozenset({"x"})), False),
        (Names(run="q", ids=frozenset({"a"})), False),
        (Names(api_key="alice"), False),
    ],
)
def test_every_condition_must_be_met_and_of_the_ids_any_one(names: Names, ended: bool) -> None:  # noqa: FBT001
    assert cancelled(names) is ended


def test_a_request_without_a_run_is_of_no_run() -> None:
    assert not cancelled(Names(run="r"), request=request(run=None))
    assert not cancelled(Names(group="p"), request=request(group=None))


def test_what_came_through_a_gateway_is_known_by_its_key_and_by_the_callers_id() -> None:
    alices = record(headers=caller_headers("alice", "17"))
    bobs = record(headers=caller_headers("bob", "17"))
    ours = request("gw-1")
    assert cancelled(Names(api_key="alice"), record=alices, request=ours)
    assert not cancelled(Names(api_key="alice"), record=bobs, request=ours)
    assert cancelled(Names(ids=frozenset({"17"}), api_key="alice"), record=alices, request=ours)
    assert not cancelled(Names(ids=frozenset({"17"}), api_key="alice"), record=bobs, request=ours)
    # Without a key an id is that on Kafka: two callers may have the same of their own.
    assert not cancelled(Names(ids=frozenset({"17"})), record=alices, request=ours)
    assert cancelled(Names(ids=frozenset({"gw-1"})), record=alices, request=ours)
    # A run is everybody's who uses its name, unless a key is named.
    assert cancelled(Names(run="r"), record=alices, request=ours)


def test_a_request_of_much_later_is_on_another_topic_of_that_name() -> None:
    assert cancelled(Names(run="r"), record=record(at=NOW + MAX_LEAD))
    assert not cancelled(Names(run="r"), record=record(at=NOW + MAX_LEAD + 1))


def test_another_group_of_workers_and_another_topic_are_not_concerned() -> None:
    known = Cancellations(consumer_group="g", topic="t")
    assert not known.add(Cancellation("other", "t", Names(run="r"), (5,), NOW))
    assert not known.add(Cancellation("g", "other", Names(run="r"), (5,), NOW))
    assert not known.add(Cancellation("g", "t", Names(), (5,), NOW))
    assert len(known) == 0


def test_of_the_same_names_the_last_one_counts() -> None:
    known = Cancellations(consumer_group="g", topic="t")
    known.add(Cancellation("g", "t", Names(run="r"), (5,), NOW))
    known.add(Cancellation("g", "t", Names(run="r"), (9,), NOW + 1))
    assert len(known) == 1
    assert known.find(record(0, 8), request()) is not None


def test_the_first_is_forgotten_where_there_are_too_many() -> None:
    known = Cancellations(consumer_group="g", topic="t", most=2)
    for name in ("a", "b", "c"):
        known.add(Cancellation("g", "t", Names(run=name), (5,), NOW))
    assert [known.find(record(), request(run=name)) is not None for name in ("a", "b", "c")] == [False, True, True]
    # A single one with more names than there is room for is forgotten, too.
    known.add(Cancellation("g", "t", Names(ids=frozenset("abc")), (5,), NOW))
    assert len(known) == 0


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (Names(run="r"), "run r"),
        (Names(group="g" * 100), f"group {'g' * 80}…"),
        (Names(run="r", ids=frozenset("ab")), "run r, custom_id a and 1 more"),
        (Names(ids=frozenset("a"), api_key="k"), "custom_id a, API key k"),
    ],
)
def test_what_is_meant_is_said_in_words(names: Names, said: str) -> None:
    assert str(names) == said


# --- the record -----------------------------------------------------------------------------------------------------


def test_the_form_on_the_topic_stays_as_it_is() -> None:
    cancellation = decode_cancellation(GOOD, 1_500)
    assert cancellation == Cancellation("g", "t", Names(run="r"), (5, 0, 7), 1.5)
    key, value, milliseconds = encode_cancellation(cancellation)
    assert (value, milliseconds) == (GOOD, 1_500)
    assert key == b"cancellation:3f1dc7a0f2d63b4cde28ae316441bf2f"


def test_the_key_says_who_is_meant_so_that_compaction_keeps_the_last() -> None:
    def key(names: Names, group: str = "g", ends: tuple[int, ...] = (1,)) -> bytes:
        return encode_cancellation(Cancellation(group, "t", names, ends, NOW)).key

    same = {key(Names(run="r")), key(Names(run="r"), ends=(2, 3))}
    others = {key(Names(group="r")), key(Names(api_key="r")), key(Names(ids=frozenset("r"))), key(Names(run="r"), "h")}
    assert len(same) == 1
    assert len(others | same) == 5


def test_a_winner_is_no_cancellation_and_an_older_worker_takes_a_cancellation_for_no_winner() -> None:
    winner = encode_announcement(Winner("0" * 32, "cancellation:", 0, 1, Assurance.AUDITED, NOW))
    assert not is_cancellation(winner.key)
    assert not is_cancellation(None)
    # What every version since there are groups does with a record: it reads a winner of it.
    with pytest.raises(ValueError, match="scope"):
        decode_announcement(GOOD, 0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        GOOD[:-1] + b',"new":1}',
        GOOD.replace(b'"r"', b"null"),
        GOOD.replace(b'"r"', b'""'),
        GOOD.replace(b'"r"', b"1"),
        GOOD.replace(b'"r"', b'"%s"' % (b"r" * 129)),
        GOOD.replace(b"5,0", b"5,-1"),
        GOOD.replace(b"5,0", b"5,true"),
        GOOD.replace(b"5,0", b"5,%d" % 2**63),
        GOOD.replace(b"[]", b"[%s]" % b",".join([b'"a"'] * 101)),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_anything_else_is_refused_with_a_reason(value: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode_cancellation(value, 0)


def test_a_time_that_no_result_could_name_is_refused() -> None:
    with pytest.raises(ValueError, match="year 9999"):
        decode_cancellation(GOOD, 2**62)


@pytest.mark.parametrize("names", [Names(), Names(run="r" * 129), Names(ids=frozenset({"\ud800"})), Names(run="")])
def test_what_no_request_can_have_is_not_sent(names: Names) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode_cancellation(Cancellation("g", "t", names, (5,), NOW))
