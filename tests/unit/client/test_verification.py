"""One call of `verify`, without a broker: order, window, time-out, and what is sent again."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from cli_fakes import make_result
from hypothesis import given, settings
from hypothesis import strategies as st

from streamverify.client import verification as module
from streamverify.client.verification import Answer, Unanswered, Verification
from streamverify.core.errors import BrokerUnavailable, InvalidRequest
from streamverify.core.messages.models import ProofRequest, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from streamverify.core.messages.models import ProofResult


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0,))


def requests(count: int, proof: str = "x") -> list[ProofRequest]:
    return [ProofRequest(custom_id=str(number), proof=proof) for number in range(count)]


async def each(items: Sequence[ProofRequest]) -> AsyncIterator[ProofRequest]:
    for item in items:
        yield item


class Worker:
    """Answers each request with the next of its reasons; a request without a reason never has an answer."""

    def __init__(self, reasons: Callable[[str], Sequence[Reason]] = lambda _name: [Reason.OK]) -> None:
        self.reasons = reasons
        self.sent: Counter[str] = Counter()
        self.open = self.most_open = 0

    async def exchange(self, request: ProofRequest) -> ProofResult:
        name = request.custom_id
        self.sent[name] += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(0)
            reasons = self.reasons(name)
            if not reasons:
                await asyncio.Event().wait()
            return make_result(name, reasons[min(self.sent[name], len(reasons)) - 1])
        finally:
            self.open -= 1


def call(worker: Worker, batch: Sequence[ProofRequest], **options: Any) -> Verification:
    given_: dict[str, Any] = {"timeout": None, "retries": 2} | options
    return Verification(worker.exchange, each(batch), **given_)


async def collected(verification: Verification) -> list[Answer]:
    return [answer async for chunk in verification.answers() for answer in chunk]


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 7), st.data())
def test_every_request_is_answered_once_within_the_window(count: int, window: int, data: st.DataObject) -> None:
    batch = requests(count)
    again = data.draw(st.sets(st.sampled_from(range(count))) if count else st.just(set()))
    worker = Worker(lambda name: [Reason.WORKER_ERROR] * (int(name) in again) + [Reason.OK])
    answers = asyncio.run(collected(call(worker, batch, max_in_flight=window)))
    assert sorted(answer.index for answer in answers) == list(range(count))
    assert all(answer.result.custom_id == str(answer.index) for answer in answers)
    assert all(answer.result.reason is Reason.OK for answer in answers)
    assert worker.most_open <= window
    assert worker.sent == Counter({str(index): 1 + (index in again) for index in range(count)})


@pytest.mark.parametrize(("retries", "sent"), [(0, 1), (1, 2), (2, 3)])
async def test_what_stays_retriable_is_sent_so_often_and_its_last_result_counts(retries: int, sent: int) -> None:
    worker = Worker(lambda _name: [Reason.IMPORT_FAILED, Reason.OUT_OF_MEMORY, Reason.WORKER_ERROR])
    [answer] = await collected(call(worker, requests(1), retries=retries))
    assert worker.sent["0"] == sent
    assert answer.result.reason == [Reason.IMPORT_FAILED, Reason.OUT_OF_MEMORY, Reason.WORKER_ERROR][retries]


@pytest.mark.parametrize("reason", [Reason.OK, Reason.LEAN_ERROR, Reason.TIMEOUT, Reason.SUPERSEDED])
async def test_what_is_final_is_sent_once(reason: Reason) -> None:
    worker = Worker(lambda _name: [reason])
    await collected(call(worker, requests(3)))
    assert set(worker.sent.values()) == {1}


async def test_time_is_up_yields_what_came_and_names_the_rest() -> None:
    batch = requests(6)
    worker = Worker(lambda name: [] if name in {"1", "4"} else [Reason.OK])
    answers: list[Answer] = []
    verification = call(
        worker, batch, timeout=0.2, max_in_flight=5, unsent=lambda begun: [each.custom_id for each in batch[begun:]]
    )

    async def collect() -> None:
        async for chunk in verification.answers():
            answers.extend(chunk)

    with pytest.raises(Unanswered, match=r"2 of 6 proofs had no verdict within 0.2 s \('1', '4'\)") as caught:
        await collect()
    assert caught.value.custom_ids == ("1", "4")
    assert sorted(answer.index for answer in answers) == [0, 2, 3, 5]
    assert worker.open == 0


async def test_what_was_not_sent_when_time_was_up_is_named_too() -> None:
    batch = requests(5)
    verification = call(
        Worker(lambda _name: []),
        batch,
        timeout=0.05,
        max_in_flight=2,
        unsent=lambda begun: [each.custom_id for each in batch[begun:]],
    )
    with pytest.raises(Unanswered) as caught:
        await collected(verification)
    assert caught.value.custom_ids == tuple("01234")


async def test_a_result_that_was_to_be_had_again_is_there_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", (60.0,))
    worker = Worker(lambda _name: [Reason.OUT_OF_MEMORY, Reason.OK])
    [answer] = await collected(call(worker, requests(1), timeout=0.1))
    assert answer.result.reason is Reason.OUT_OF_MEMORY


async def test_a_slow_caller_holds_back_what_is_sent() -> None:
    worker = Worker()
    verification = call(worker, requests(50), max_in_flight=4)
    async with aclosing(verification.answers()) as chunks:
        first = await anext(chunks)
        for _ in range(200):
            await asyncio.sleep(0)
        # Four are answered and wait to be taken, beside those that were.
        assert sum(worker.sent.values()) <= len(first) + 4
        assert sum(len(chunk) for chunk in [chunk async for chunk in chunks]) + len(first) == 50


async def test_large_requests_are_held_back_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES_IN_FLIGHT", 250)
    worker = Worker()
    await collected(call(worker, requests(20, "x" * 100)))
    assert worker.most_open <= 2
    # One that is larger than that by itself is sent alone.
    worker = Worker()
    await collected(call(worker, requests(3, "x" * 1000)))
    assert worker.most_open == 1


async def test_who_leaves_early_leaves_nothing_behind() -> None:
    worker = Worker(lambda name: [Reason.OK] if name == "0" else [])
    async with aclosing(call(worker, requests(20)).answers()) as chunks:
        await anext(chunks)
    assert worker.open == 0


async def test_a_request_that_cannot_be_sent_ends_the_call() -> None:
    worker = Worker(lambda _name: [])
    before = worker.exchange

    async def exchange(request: ProofRequest) -> ProofResult:
        if request.custom_id == "3":
            raise BrokerUnavailable("gone")
        return await before(request)

    verification = Verification(exchange, each(requests(5)), timeout=None, retries=2)
    with pytest.raises(BrokerUnavailable, match="gone"):
        await collected(verification)
    assert worker.open == 0


async def test_what_a_source_raises_ends_the_call_even_with_its_first_item() -> None:
    async def source() -> AsyncIterator[ProofRequest]:
        raise InvalidRequest("wrong", custom_id="a")
        yield

    with pytest.raises(InvalidRequest, match="wrong"):
        await collected(Verification(Worker().exchange, source(), timeout=None, retries=2))


def test_unanswered_says_how_many_and_names_a_few_of_any_length() -> None:
    error = Unanswered([*(str(number) for number in range(4)), "x" * 512, "6", "7", "8"], 20, 1.5)
    assert str(error).startswith(
        f"8 of 20 proofs had no verdict within 1.5 s ('0', '1', '2', '3', '{'x' * 39}…' and 3 more)"
    )
    assert len(error.custom_ids) == 8
    assert error.exit_code == 3
