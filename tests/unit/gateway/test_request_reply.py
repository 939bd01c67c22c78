"""A batch's way over Kafka, on fakes: turns, order, time, and what becomes of what is left behind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from gateway_fakes import REQUEST_ID, Record, a_gateway, assert_idle, sender_of, verdict
from structlog.testing import capture_logs

from streamverify.core.errors import BrokerUnavailable, RequestTooLarge
from streamverify.core.groups.scope import caller_headers
from streamverify.core.messages.models import Assurance, Status
from streamverify.gateway import request_reply
from streamverify.gateway.batch import BatchOptions, BatchProof
from streamverify.gateway.outcome import ProofOutcome, refused

if TYPE_CHECKING:
    from streamverify.gateway.gateway import Gateway

ASKED = BatchOptions(Assurance.CHECKED, 60)


async def answers(
    gateway: Gateway, proofs: list[BatchProof | ProofOutcome], *, wait: float = 60, ordered: bool = True, key: str = "k"
) -> list[tuple[int, ProofOutcome]]:
    way = gateway.way(None)[1]
    async with aclosing(way.answers(proofs, ASKED, key, wait, ordered=ordered)) as outcomes:
        return [found async for found in outcomes]


async def test_each_proof_gets_its_own_answer_also_if_all_are_alike() -> None:
    gateway = a_gateway()
    proofs: list[BatchProof | ProofOutcome] = [
        BatchProof("theorem t : x"),
        BatchProof("theorem t : x -- sorry"),
        BatchProof("theorem t : x"),
    ] * 100
    found = await answers(gateway, proofs)
    assert [index for index, _ in found] == list(range(300))
    assert [outcome.reason for _, outcome in found] == ["ok", "sorry", "ok"] * 100
    ids = {request["custom_id"] for request in sender_of(gateway).sent}
    assert len(ids) == 300
    assert_idle(gateway)


async def test_the_record_says_what_was_asked_for() -> None:
    gateway = a_gateway()
    way = gateway.way(None)[1]
    asked = BatchOptions(Assurance.AUDITED, 7.5, "tactics", disable_cache=True)
    batch: list[BatchProof | ProofOutcome] = [BatchProof("a", "b", "c", "problem_7")]
    async with aclosing(way.answers(batch, asked, "alice", 100, ordered=True)) as outcomes:
        [_] = [found async for found in outcomes]
    [request] = sender_of(gateway).sent
    deadline = request.pop("deadline")
    assert request == {
        "custom_id": request["custom_id"],
        "proof": "a",
        "statement": "b",
        "theorem": "c",
        "timeout": 7.5,
        "infotree_type": "tactics",
        "disable_cache": True,
        "require": "audited",
    }
    assert deadline.endswith("+00:00")
    [record] = sender_of(gateway).records
    assert record.kafka_headers == [(REQUEST_ID, request["custom_id"].encode()), *caller_headers("alice", "problem_7")]


async def test_as_they_come_or_in_their_order() -> None:
    for ordered, expected in ((False, [1, 2, 0]), (True, [0, 1, 2])):
        gateway = a_gateway(lambda request: None if "late" in request["proof"] else verdict(request))
        proofs: list[BatchProof | ProofOutcome] = [BatchProof("late"), BatchProof("x"), BatchProof("y")]
        waiting = asyncio.create_task(answers(gateway, proofs, ordered=ordered))
        while len(sender_of(gateway).sent) < 3:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        sender_of(gateway).answer(verdict(sender_of(gateway).sent[0]))
        assert [index for index, _ in await waiting] == expected


async def test_no_more_are_on_kafka_than_may_be() -> None:
    gateway = a_gateway(lambda _: None, gateway_in_flight=5, gateway_in_flight_per_key=3)
    sender = sender_of(gateway)
    one = asyncio.create_task(answers(gateway, [BatchProof(f"one {n}") for n in range(20)], key="one"))
    two = asyncio.create_task(answers(gateway, [BatchProof(f"two {n}") for n in range(20)], key="two"))
    answered = 0
    while answered < 40:
        await asyncio.sleep(0)
        on_kafka = sender.sent[answered:]
        by_key = [sum(request["proof"].startswith(key) for request in on_kafka) for key in ("one", "two")]
        assert len(on_kafka) <= 5
        assert max(by_key) <= 3
        if on_kafka:
            sender.answer(verdict(on_kafka[0]))
            answered += 1
    for task in (one, two):
        assert [outcome.reason for _, outcome in await task] == ["ok"] * 20
    assert_idle(gateway)


async def test_a_batch_that_is_left_frees_what_it_held() -> None:
    gateway = a_gateway(lambda _: None, gateway_in_flight=2)
    left = asyncio.create_task(answers(gateway, [BatchProof("left")] * 10))
    while len(sender_of(gateway).sent) < 2:
        await asyncio.sleep(0)
    other = asyncio.create_task(answers(gateway, [BatchProof("other")]))
    left.cancel()
    while len(sender_of(gateway).sent) < 3:
        await asyncio.sleep(0)
    # A result for what was left is nobody's.
    sender_of(gateway).answer(verdict(sender_of(gateway).sent[0]))
    sender_of(gateway).answer(verdict(sender_of(gateway).sent[2]))
    assert [outcome.verified for _, outcome in await other] == [True]
    await asyncio.gather(left, return_exceptions=True)
    assert_idle(gateway)


@pytest.mark.parametrize("ordered", [True, False])
async def test_what_has_no_verdict_in_time_says_so_and_the_others_have_theirs(ordered: bool) -> None:  # noqa: FBT001
    gateway = a_gateway(gateway_in_flight=2)
    proofs: list[BatchProof | ProofOutcome] = [
        BatchProof("a"),
        BatchProof("b -- silence"),
        BatchProof("c -- silence"),
        BatchProof("d"),
        BatchProof("e"),
    ]
    found = dict(await answers(gateway, proofs, wait=0.3, ordered=ordered))
    assert [found[index].reason for index in range(5)] == ["ok", "expired", "expired", "expired", "expired"]
    assert "is a worker of the group streamverify running" in str(found[1].error)
    assert "timed out" not in str(found[1].error)
    assert_idle(gateway)


async def test_a_reader_that_is_slow_stops_its_batch_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_reply, "_UNREAD_BYTES", 1)
    gateway = a_gateway()
    way = gateway.way(None)[1]
    batch: list[BatchProof | ProofOutcome] = [BatchProof("slow")] * 1000
    async with aclosing(way.answers(batch, ASKED, "k", 60, ordered=True)) as outcomes:
        await anext(outcomes)
        await asyncio.sleep(0.01)
        # Some were on their way when the first results came.
        assert len(sender_of(gateway).sent) <= 4 * request_reply._AHEAD
        assert gateway.queue.in_flight == 0
        assert len(await answers(gateway, [BatchProof("quick")] * 200)) == 200
        assert len([found async for found in outcomes]) == 999


async def test_what_need_not_be_sent_is_not() -> None:
    gateway = a_gateway()
    found = await answers(
        gateway,
        [BatchProof("a"), refused("invalid_request", "why"), BatchProof("b"), BatchProof("x", theorem="t" * 600)],
    )
    assert [outcome.reason for _, outcome in found] == ["ok", "invalid_request", "ok", "invalid_request"]
    assert "theorem" in found[3][1].sentence
    assert [request["proof"] for request in sender_of(gateway).sent] == ["a", "b"]
    assert await answers(gateway, []) == []


async def test_a_record_that_the_broker_does_not_take_costs_the_others_nothing() -> None:
    def worker(request: dict[str, Any]) -> Any:
        too_large = RequestTooLarge("too large to be sent", custom_id=request["custom_id"])
        return too_large if "large" in request["proof"] else verdict(request)

    gateway = a_gateway(worker)
    found = await answers(gateway, [BatchProof("a"), BatchProof("large"), BatchProof("b")])
    assert [outcome.reason for _, outcome in found] == ["ok", "too_large", "ok"]
    assert found[1][1].status is Status.INCONCLUSIVE


async def test_whatever_else_fails_costs_the_others_nothing() -> None:
    def worker(request: dict[str, Any]) -> Any:
        return OSError("strange") if "strange" in request["proof"] else verdict(request)

    gateway = a_gateway(worker)
    with capture_logs() as logs:
        found = await answers(gateway, [BatchProof("a"), BatchProof("strange"), BatchProof("b")])
    assert [outcome.reason for _, outcome in found] == ["ok", "worker_error", "ok"]
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["send_failed"]
    assert_idle(gateway)


async def test_a_broker_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_reply, "_RETRY", 0.01)
    tries = iter([BrokerUnavailable("gone"), BrokerUnavailable("gone")])
    gateway = a_gateway(lambda request: next(tries, None) or verdict(request))
    with capture_logs() as logs:
        [(_, outcome)] = await answers(gateway, [BatchProof("a")])
    assert outcome.verified
    assert gateway.trouble == "gone"
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["broker_away"]


async def test_results_of_others_and_broken_ones() -> None:
    gateway = a_gateway(lambda _: None)
    way = gateway.way(None)[1]
    waiting = asyncio.create_task(answers(gateway, [BatchProof("a"), BatchProof("b")]))
    sender = sender_of(gateway)
    while len(sender.sent) < 2:
        await asyncio.sleep(0)
    first, second = sender.records
    way._answer(Record(b"somebody-else", b"{}", ((REQUEST_ID, b"not-ours"),)))
    way._answer(Record(first.custom_id.encode(), b"{}", ((REQUEST_ID, b"not-ours"),)))
    way._answer(Record(first.custom_id.encode(), b"no json", tuple(first.kafka_headers)))
    # The Kafka headers had to be left out of a large result: its key is the gateway's own, too.
    sender.answer(verdict(sender.sent[1]), None)
    sender.answer(verdict(sender.sent[1]), second.kafka_headers)  # again: a worker repeats what it is not sure of
    assert [outcome.reason for _, outcome in await waiting] == ["worker_error", "ok"]
    assert_idle(gateway)


async def test_a_stand_in_is_told_once() -> None:
    gateway = a_gateway(lambda request: verdict(request, verifier={"kind": "synthetic"}))
    with capture_logs() as logs:
        await answers(gateway, [BatchProof("a")] * 3)
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["stand_in_answers"]
    verifier = gateway.way(None)[1].verifier
    assert verifier is not None
    assert verifier.kind == "synthetic"


DEEP = b"[" * 1_000 + b"]" * 1_000


@pytest.mark.parametrize("name", ["custom_id", "status", "reason", "summary", "error", "source", "timestamp"])
@pytest.mark.parametrize("item", [b"null", b"5", b"1e300", b"{}", b'"x"', DEEP], ids=lambda item: item[:5].decode())
def test_anybodys_record_on_the_result_topic_leaves_the_reader_alive(name: str, item: bytes) -> None:
    gateway = a_gateway()
    for value in (b'{"%b":%b}' % (name.encode(), item), b'{"source":{"%b":%b}}' % (name.encode(), item), item):
        for known_as in ((), ((REQUEST_ID, None),), ((REQUEST_ID, b"\xff"),)):
            gateway.ways[0]._answer(Record(b"key", value, known_as))  # type: ignore[arg-type]
    assert_idle(gateway)
