"""Matching results to requests."""

from __future__ import annotations

import pytest
from cli_fakes import make_result
from hypothesis import given
from hypothesis import strategies as st
from record_fakes import FakeRecord

from streamverify.client.correlator import Correlator
from streamverify.client.requests import REQUEST_ID, EncodedRequest, Ticket
from streamverify.core.errors import UndecodableResult
from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import ProofResult


def waiting(*requests: tuple[str, str]) -> Correlator:
    """A correlator that waits for these: custom_id and request id of each."""
    correlator = Correlator()
    for custom_id, request_id in requests:
        correlator.expect(EncodedRequest(custom_id, request_id, b"", b"{}"))
    return correlator


def record(custom_id: str, *, request_id: str | None = None, offset: int = 0) -> FakeRecord:
    value = encode_result(make_result(custom_id, offset=offset), limit=1_000_000, overhead=0).value
    headers = () if request_id is None else ((REQUEST_ID, request_id.encode()),)
    return FakeRecord(value, custom_id.encode(), headers)


def ticket(custom_id: str, request_id: str, offset: int) -> Ticket:
    return Ticket(custom_id, request_id, "lean.proofs", 0, offset, 0)


def test_the_header_decides_and_not_the_custom_id() -> None:
    correlator = waiting(("same", "r1"), ("same", "r2"))
    match = correlator.match(record("same", request_id="r2"))
    assert match is not None
    assert match.request_id == "r2"
    assert len(correlator) == 1


def test_another_clients_result_under_our_custom_id_is_not_ours() -> None:
    correlator = waiting(("same", "r1"))
    assert correlator.match(record("same", request_id="theirs")) is None
    assert len(correlator) == 1


def test_a_repeat_answers_once() -> None:
    correlator = waiting(("a", "r1"))
    assert correlator.match(record("a", request_id="r1")) is not None
    assert correlator.match(record("a", request_id="r1")) is None
    assert not len(correlator)


def test_without_the_header_the_place_of_the_request_decides() -> None:
    correlator = waiting(("same", "r1"), ("same", "r2"))
    correlator.acknowledged(ticket("same", "r1", 7))
    correlator.acknowledged(ticket("same", "r2", 8))
    match = correlator.match(record("same", offset=8))
    assert match is not None
    assert match.request_id == "r2"
    assert correlator.match(record("same", offset=99)) is None


def test_an_answer_without_the_header_may_come_before_the_acknowledgement() -> None:
    correlator = waiting(("a", "r1"))
    assert correlator.match(record("a", offset=7)) is None
    match = correlator.acknowledged(ticket("a", "r1", 7))
    assert match is not None
    assert isinstance(match.result, ProofResult)
    assert match.result.custom_id == "a"
    assert not len(correlator)


def test_a_request_answered_by_its_kafka_header_is_not_answered_again_by_its_source() -> None:
    correlator = waiting(("a", "r1"))
    assert correlator.match(record("a", request_id="r1", offset=7)) is not None
    assert correlator.acknowledged(ticket("a", "r1", 7)) is None
    assert correlator.match(record("a", offset=7)) is None


@pytest.mark.parametrize("value", [None, b"", b"no json", b"{}"])
def test_an_undecodable_record_that_is_not_known_to_be_ours_is_passed_over(value: bytes | None) -> None:
    correlator = waiting(("a", "r1"))
    assert correlator.match(FakeRecord(value, b"a")) is None
    assert correlator.match(FakeRecord(value, b"other")) is None


def test_an_undecodable_answer_to_our_request_is_told_to_the_one_who_waits() -> None:
    correlator = waiting(("a", "r1"), ("b", "r2"))
    match = correlator.match(FakeRecord(b"{}", b"a", ((REQUEST_ID, b"r1"),)))
    assert match is not None
    assert isinstance(match.result, UndecodableResult)
    assert len(correlator) == 1


ids = st.sampled_from("abc")
numbers = st.integers(0, 9)
events = st.lists(
    st.tuples(st.just("expect"), numbers)
    | st.tuples(st.just("acknowledge"), numbers)
    | st.tuples(st.just("answer"), numbers)
    | st.tuples(st.just("answer without header"), numbers)
    | st.tuples(st.just("forget"), numbers),
    max_size=60,
)


@given(events)
def test_each_request_is_answered_at_most_once_with_its_own_result_and_nothing_is_kept(
    happened: list[tuple[str, int]],
) -> None:
    """Request `n` lies at offset `n`, has the custom_id `abc`[n % 3], and is sent once."""
    correlator, sent, open_, answered = Correlator(), set[int](), set[int](), set[int]()
    for event, n in happened:
        custom_id, request_id = "abc"[n % 3], f"r{n}"
        match = None
        if event == "expect" and n not in sent:
            sent.add(n)
            open_.add(n)
            correlator.expect(EncodedRequest(custom_id, request_id, b"", b"{}"))
        elif event == "forget":
            open_.discard(n)
            correlator.forget(request_id)
        elif event == "acknowledge" and n in sent:
            match = correlator.acknowledged(ticket(custom_id, request_id, n))
        elif event.startswith("answer") and n in sent:
            header = None if event.endswith("header") else request_id
            match = correlator.match(record(custom_id, request_id=header, offset=n))
            assert header is None or (match is not None) == (n in open_)
        if match is not None:
            assert match.request_id == request_id
            assert isinstance(match.result, ProofResult)
            assert match.result.source.offset == n
            assert n in open_
            assert n not in answered
            answered.add(n)
            open_.discard(n)
        assert len(correlator) == len(open_)
    for n in range(10):
        correlator.forget(f"r{n}")
    kept = vars(correlator).values()
    assert not any(kept)
