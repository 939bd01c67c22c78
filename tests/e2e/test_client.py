"""The client against a broker and a worker that runs in a process of its own."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from command import make_environment, serving_worker, settings_of

from streamverify.client import AsyncClient, Unanswered
from streamverify.core.errors import RequestTooLarge
from streamverify.core.messages.models import ProofRequest, Reason
from streamverify.core.scheduling.partitioner import affinity_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.settings import Settings

PROOF = "theorem t : 1 = 1 := rfl"


@pytest.fixture(scope="module")
def served(broker: str, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Topics that a worker serves."""
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with serving_worker(env):
        yield settings_of(env)


@pytest.fixture
def unserved(broker: str, request: pytest.FixtureRequest) -> Settings:
    """Topics that nobody serves."""
    return settings_of(make_environment(broker, real=request.config.getoption("--kafka")))


def requests(count: int, text: str = "") -> list[ProofRequest]:
    return [ProofRequest(custom_id=f"p{number}", proof=f"{PROOF} -- {text}") for number in range(count)]


async def test_verdicts_come_in_the_order_of_the_requests(served: Settings) -> None:
    batch = requests(50)
    batch[3] = batch[3].model_copy(update={"proof": f"{PROOF} -- synthetic: error"})
    async with AsyncClient(served) as client:
        results = await client.verify(batch, timeout=300)
        # What the answers say of the times goes to the partitioner.
        assert client._open is not None
        times = client._open.connection.sender._partitioner._affinity._times
        assert set(times._of) == {affinity_key(request.proof) for request in batch}
    assert [result.custom_id for result in results] == [request.custom_id for request in batch]
    assert [result.reason for result in results[2:5]] == [Reason.OK, Reason.LEAN_ERROR, Reason.OK]


async def test_requests_with_the_same_custom_id_get_each_its_own_verdict(served: Settings) -> None:
    texts = ["synthetic: service=0.2", "synthetic: error", "synthetic: sorry"]
    batch = [ProofRequest(custom_id="same", proof=f"{PROOF} -- {text}") for text in texts]
    async with AsyncClient(served) as one, AsyncClient(served) as two:
        both = await asyncio.gather(one.verify(batch, timeout=300), two.verify(batch[::-1], timeout=300))
    reasons = [Reason.OK, Reason.LEAN_ERROR, Reason.SORRY]
    assert [[result.reason for result in results] for results in both] == [reasons, reasons[::-1]]


async def test_a_header_that_is_not_lean_is_the_workers_to_answer(served: Settings) -> None:
    async with AsyncClient(served) as client:
        [result] = await client.verify([ProofRequest(custom_id="a", proof="prelude\n")], timeout=300)
    assert result.reason is Reason.HEADER_ERROR


async def test_each_answer_comes_as_soon_as_it_is_there(served: Settings) -> None:
    batch = [*requests(1, "synthetic: service=8"), *requests(1)]
    async with AsyncClient(served) as client:
        assert [answer.index async for answer in client.verify_each(batch, 300)] == [1, 0]


async def test_nothing_to_verify_is_nothing(served: Settings) -> None:
    async with AsyncClient(served) as client:
        assert await client.verify([], timeout=1) == []


async def test_who_leaves_the_loop_early_disturbs_nobody(served: Settings) -> None:
    async with AsyncClient(served) as client:
        async with aclosing(client.verify_each(requests(20), 300)) as answers:
            async for _answer in answers:
                break
        assert len(await client.verify(requests(2), timeout=300)) == 2


async def test_time_is_up_names_what_is_open_and_keeps_what_came(served: Settings) -> None:
    batch = [*requests(1), ProofRequest(custom_id="slow", proof=f"{PROOF} -- synthetic: service=20", timeout=20)]
    async with AsyncClient(served) as client:
        results = await client.verify(batch[::-1], timeout=10)
        with pytest.raises(Unanswered, match=r"1 of 1 proofs .*'slow'"):
            _ = [answer async for answer in client.verify_each(batch[1:], 0.5)]
    assert results.missing == ("slow",)
    assert [result and result.custom_id for result in results.aligned()] == [None, "p0"]


async def test_without_a_worker_everything_is_open(unserved: Settings) -> None:
    async with AsyncClient(unserved) as client:
        results = await client.verify(requests(2), timeout=1)
    assert (list(results), results.missing) == ([], ("p0", "p1"))


async def test_tickets_tell_where_each_request_is_and_use_all_partitions(unserved: Settings) -> None:
    async with AsyncClient(unserved) as client:
        tickets = [ticket async for ticket in client.submit_all(requests(12))]
        single = await client.submit(requests(1)[0])
    assert [ticket.custom_id for ticket in tickets] == [f"p{number}" for number in range(12)]
    partitions = {ticket.partition for ticket in tickets}
    assert len(partitions) in {3, 4}
    counts = [sum(ticket.partition == partition for ticket in tickets) for partition in partitions]
    assert len(set(counts)) == 1
    assert len({ticket.request_id for ticket in [*tickets, single]}) == 13


async def test_many_requests_are_in_flight_together(unserved: Settings) -> None:
    async with AsyncClient(unserved) as client:
        count = 0
        async for _ticket in client.submit_all(requests(5_000)):
            count += 1
    assert count == 5_000


async def test_a_request_that_no_broker_takes_is_named_and_spoils_nothing(unserved: Settings) -> None:
    large = ProofRequest(custom_id="large", proof="x" * 1_100_000)
    async with AsyncClient(unserved) as client:
        # The topic's limit, where there is one to be read, or the broker's refusal: each names it.
        with pytest.raises(RequestTooLarge, match=r"""['"]large['"] is too large"""):
            await client.submit(large)
        assert (await client.submit(requests(1)[0])).custom_id == "p0"


async def test_results_end_where_the_topic_ended_at_the_call(served: Settings) -> None:
    async with AsyncClient(served) as client:
        await client.verify(requests(5, "mark"), timeout=300)
        before = [result.source async for result in client.results()]
        again = [result.source async for result in client.results()]
    assert len(before) >= 5
    assert sorted(again, key=str) == sorted(before, key=str)


async def test_results_since_a_time(served: Settings) -> None:
    async with AsyncClient(served) as client:
        await client.verify(requests(1), timeout=300)
        await asyncio.sleep(0.05)
        moment = datetime.now(UTC)
        await client.verify([ProofRequest(custom_id="late", proof=PROOF)], timeout=300)
        recent = [result.custom_id async for result in client.results(moment)]
        none = [result async for result in client.results(timedelta(0))]
    assert "late" in recent
    assert "p0" not in recent
    assert none == []


async def test_results_follow_what_comes(served: Settings) -> None:
    async with AsyncClient(served) as client:
        name = uuid.uuid4().hex
        async with aclosing(client.results(timedelta(seconds=30), follow=True)) as follow:
            await client.submit(ProofRequest(custom_id=name, proof=PROOF))
            async for result in follow:
                if result.custom_id == name:
                    break
    assert result.reason is Reason.OK


async def test_a_result_knows_its_file_where_an_infotree_was_asked_for(served: Settings) -> None:
    with_tree = ProofRequest(custom_id="tree", proof=PROOF, infotree_type="tactics")
    async with AsyncClient(served) as client:
        results = await client.verify([with_tree, ProofRequest(custom_id="none", proof=PROOF)], timeout=300)
    assert [result.proof for result in results] == [PROOF, None]
