"""Matching results to requests."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from cli_fakes import make_result

from streamverify.client.correlator import Correlator, Unanswered
from streamverify.client.requests import REQUEST_ID, EncodedRequest, Ticket
from streamverify.core.errors import UndecodableResult
from streamverify.core.messages.codec import encode_result


@dataclass
class Record:
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def outgoing(custom_id: str, request_id: str) -> EncodedRequest:
    return EncodedRequest(custom_id, request_id, b"", b"{}")


def record(custom_id: str, *, request_id: str | None = None, offset: int = 0) -> Record:
    value = encode_result(make_result(custom_id, offset=offset), limit=1_000_000, overhead=0).value
    headers = () if request_id is None else ((REQUEST_ID, request_id.encode()),)
    return Record(value, custom_id.encode(), headers)


def ticket(custom_id: str, request_id: str, offset: int) -> Ticket:
    return Ticket(custom_id, request_id, "lean.proofs", 0, offset, 0)


def test_the_header_decides_and_not_the_custom_id() -> None:
    batch = Correlator([outgoing("same", "r1"), outgoing("same", "r2")])
    answer = batch.match(record("same", request_id="r2"))
    assert answer is not None
    assert answer.index == 1
    assert batch.open == ["same"]
    assert not batch.done


def test_another_clients_result_under_our_custom_id_is_not_ours() -> None:
    batch = Correlator([outgoing("same", "r1")])
    assert batch.match(record("same", request_id="theirs")) is None
    assert batch.open == ["same"]


def test_a_repeat_answers_once() -> None:
    batch = Correlator([outgoing("a", "r1")])
    assert batch.match(record("a", request_id="r1")) is not None
    assert batch.match(record("a", request_id="r1")) is None
    assert batch.done


def test_without_the_header_the_place_of_the_request_decides() -> None:
    batch = Correlator([outgoing("same", "r1"), outgoing("same", "r2")])
    batch.acknowledged(ticket("same", "r1", 7))
    batch.acknowledged(ticket("same", "r2", 8))
    answer = batch.match(record("same", offset=8))
    assert answer is not None
    assert answer.index == 1
    assert batch.match(record("same", offset=99)) is None


def test_an_answer_without_the_header_may_come_before_the_acknowledgement() -> None:
    batch = Correlator([outgoing("a", "r1")])
    assert batch.match(record("a", offset=7)) is None
    answer = batch.acknowledged(ticket("a", "r1", 7))
    assert answer is not None
    assert answer.result.custom_id == "a"
    assert batch.done


def test_a_request_answered_by_its_kafka_header_is_not_answered_again_by_its_source() -> None:
    batch = Correlator([outgoing("a", "r1")])
    assert batch.match(record("a", request_id="r1", offset=7)) is not None
    batch.acknowledged(ticket("a", "r1", 7))
    assert batch.match(record("a", offset=7)) is None


@pytest.mark.parametrize("value", [None, b"", b"no json", b"{}"])
def test_an_undecodable_record_that_is_not_known_to_be_ours_is_passed_over(value: bytes | None) -> None:
    batch = Correlator([outgoing("a", "r1")])
    assert batch.match(Record(value, b"a")) is None
    assert batch.match(Record(value, b"other")) is None


def test_an_undecodable_answer_to_our_request_is_an_error() -> None:
    batch = Correlator([outgoing("a", "r1")])
    with pytest.raises(UndecodableResult):
        batch.match(Record(b"{}", b"a", ((REQUEST_ID, b"r1"),)))


def test_open_keeps_the_order_of_the_requests() -> None:
    batch = Correlator([outgoing(name, f"r{name}") for name in "dcba"])
    batch.match(record("c", request_id="rc"))
    assert batch.open == ["d", "b", "a"]


def test_unanswered_says_how_many_and_names_a_few() -> None:
    error = Unanswered([str(number) for number in range(8)], 20, 1.5)
    assert str(error).startswith("8 of 20 proofs had no verdict within 1.5 s ('0', '1', '2', '3', '4' and 3 more)")
    assert error.custom_ids == tuple("01234567")
    assert error.exit_code == 3
