"""Handing requests to Kafka, with a producer that does as it is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from streamverify.bus.presence import absent
from streamverify.client import sender as module
from streamverify.client.requests import EncodedRequest
from streamverify.client.sender import Sender
from streamverify.core.errors import BrokerUnavailable, RequestTooLarge
from streamverify.core.scheduling.partitioner import affinity_key
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.core.scheduling.partitioner import AffinityPartitioner


class Producer:
    """Stands in for AIOKafkaProducer. `fate` maps a value to the error of its acknowledgement."""

    def __init__(self, fate: dict[bytes, Exception], partitions: Any, partitioner: AffinityPartitioner) -> None:
        self.fate = fate
        self.partitions = partitions
        self.partitioner = partitioner
        self.sent: list[tuple[bytes, int]] = []
        self.stopped = False

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        self.stopped = True

    async def send(self, topic: str, value: bytes, key: bytes, **_options: Any) -> asyncio.Future[Any]:
        numbers = list(self.partitions)
        partition = self.partitioner(key, numbers, numbers)
        self.sent.append((value, partition))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if value in self.fate:
            future.set_exception(self.fate[value])
        else:
            future.set_result(SimpleNamespace(topic=topic, partition=partition, offset=len(self.sent), timestamp=5))
        return future


class Made:
    """A sender whose producers are ours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.producers: list[Producer] = []
        self.missing: list[str] = []
        self.takes: int | None = 1_048_588
        self.asked = 0

        def make(*_args: Any, partitioner: AffinityPartitioner, **_options: Any) -> Producer:
            partitions = options.get("partitions", frozenset({0, 1, 2}))
            self.producers.append(Producer(options.get("fate", {}), partitions, partitioner))
            return self.producers[-1]

        @asynccontextmanager
        async def admin(*_args: Any) -> AsyncIterator[None]:
            yield None

        async def require(_admin: Any, settings: Settings, names: list[str]) -> dict[str, list[TopicPartition]]:
            self.asked += 1
            if self.missing:
                raise absent(self.missing, [], settings.bootstrap_servers)
            return {name: [TopicPartition(name, 0)] for name in names}

        async def told(*_args: Any) -> dict[str, str] | None:
            return None if self.takes is None else {"max.message.bytes": str(self.takes)}

        monkeypatch.setattr(module, "make_producer", make)
        monkeypatch.setattr(module, "patient_admin", admin)
        monkeypatch.setattr(module, "require_topics", require)
        monkeypatch.setattr(module, "topic_settings", told)
        self.sender = Sender(Settings())


def outgoing(value: bytes, header: str = "") -> EncodedRequest:
    return EncodedRequest(value.decode(), "id", affinity_key(header), value)


async def several(*values: bytes) -> AsyncIterator[EncodedRequest]:
    for value in values:
        yield outgoing(value)


async def test_a_header_with_all_of_the_proofs_goes_to_all_partitions_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    tickets = [ticket async for ticket in made.sender.send_all(several(*[b"x"] * 9))]
    assert Counter(ticket.partition for ticket in tickets) == {0: 3, 1: 3, 2: 3}
    order = [partition for _, partition in made.producers[0].sent]
    assert order[:3] == order[3:6]


async def test_a_rare_header_stays_on_its_partition_whichever_producer_sends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Made(monkeypatch, fate={b"big": MessageSizeTooLargeError()})
    [_ async for _ in made.sender.send_all(several(*[b"x"] * 99))]
    rare = outgoing(b"rare", "import Aesop")
    before = await made.sender.send(rare)
    with pytest.raises(RequestTooLarge):
        await made.sender.send(outgoing(b"big"))
    # Three, as who knows nothing of what was sent before spreads them over the three partitions.
    after = [await made.sender.send(rare) for _ in range(3)]
    assert len(made.producers) == 2
    assert {sent.partition for sent in after} == {before.partition}


async def test_a_refused_record_is_named_and_the_producer_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, fate={b"big": MessageSizeTooLargeError()})
    with pytest.raises(RequestTooLarge, match=r'"big" is too large .* max\.message\.bytes') as caught:
        await made.sender.send(outgoing(b"big"))
    assert caught.value.custom_id == "big"
    assert made.producers[0].stopped
    assert (await made.sender.send(outgoing(b"small"))).custom_id == "small"
    assert len(made.producers) == 2


async def test_after_a_failure_nothing_complains_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    fate = {b"a": MessageSizeTooLargeError(), b"b": OutOfOrderSequenceNumber()}
    made = Made(monkeypatch, fate=fate)
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    with pytest.raises(RequestTooLarge, match='"a"'):
        [ticket async for ticket in made.sender.send_all(several(b"a", b"b"))]
    assert complaints == []


async def test_a_refused_record_costs_others_that_are_on_their_way_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many threads of one client have: the producer that has their records, too, refuses all that follow."""
    fate: dict[bytes, Exception] = {b"big": MessageSizeTooLargeError()}
    others = [f"after {n}" for n in range(5)]
    fate |= {name.encode(): OutOfOrderSequenceNumber() for name in others}
    made = Made(monkeypatch, fate=fate)
    # The big one first, as it is told first: the broker answers in the order in which they were sent.
    sent = [(name, await made.sender._enqueue(outgoing(name.encode()))) for name in ("big", *others)]
    with pytest.raises(RequestTooLarge):
        await made.sender._acknowledged(outgoing(b"big"), sent[0][1])
    fate.clear()
    tickets = [await made.sender._acknowledged(outgoing(name.encode()), each) for name, each in sent[1:]]
    assert [ticket.custom_id for ticket in tickets] == others
    assert [producer.stopped for producer in made.producers] == [True, False]


async def test_a_record_that_was_not_delivered_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, fate={b"a": KafkaConnectionError()})
    with pytest.raises(BrokerUnavailable, match='did not take the request "a"'):
        await made.sender.send(outgoing(b"a"))


async def test_a_record_larger_than_the_topic_takes_is_not_sent_and_who_refuses_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Made(monkeypatch)
    words = (
        r"it has 1,048,576 bytes as JSON, and the topic lean\.proofs takes 1,048,588 \(its max\.message\.bytes\); "
        r"`streamverify topics create --alter --max-proof-bytes 1048576` raises that, and workers need "
        r"STREAMVERIFY_MAX_PROOF_BYTES=1048576 too$"
    )
    with pytest.raises(RequestTooLarge, match=words):
        await made.sender.send(outgoing(b"x" * 1_048_576))
    assert made.producers == []


async def test_what_the_topic_takes_is_asked_again_but_not_for_each_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    large = outgoing(b"x" * 2_000_000)
    for _ in range(9):
        assert await made.sender.refusal(large) is not None
    assert made.asked == 1
    # The topic was raised, and the answer is too old to be believed.
    made.takes, made.sender._ask_again = 20_000_000, 0.0
    assert (await made.sender.send(large)).offset == 1
    assert await made.sender.refusal(outgoing(b"x" * 18_000_000)) is None
    assert made.asked == 2


async def test_where_the_broker_does_not_tell_the_setting_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    made.takes = None
    with pytest.raises(RequestTooLarge, match=r"does not tell .* so 1,048,588 are sent at most \(MAX_PROOF_BYTES\)"):
        await made.sender.send(outgoing(b"x" * 1_048_576))
    made.sender = module.Sender(Settings(max_proof_bytes=9_000_000))
    await made.sender.send(outgoing(b"x" * 17_000_000))


async def test_what_no_setting_allows_is_not_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    with pytest.raises(RequestTooLarge, match=r"no setting raises that far enough: MAX_PROOF_BYTES is at most 50,000,"):
        await made.sender.send(outgoing(b"x" * 50_000_001))


async def test_who_sends_at_once_shares_one_producer_and_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    await asyncio.gather(*(made.sender.send(outgoing(b"a")) for _ in range(20)))
    assert (len(made.producers), made.asked) == (1, 1)


async def test_a_missing_topic_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    made.missing = ["lean.proofs"]
    with pytest.raises(
        BrokerUnavailable, match=r"^no topic lean\.proofs on localhost:9092: streamverify topics create$"
    ):
        await made.sender.send(outgoing(b"a"))
    assert made.producers == []


async def test_a_topic_that_goes_away_is_said_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, fate={b"late": KafkaTimeoutError()})
    await made.sender.send(outgoing(b"early"))
    made.missing = ["lean.proofs"]
    with pytest.raises(BrokerUnavailable, match=r'did not take the request "late": no topic lean\.proofs on localhost'):
        await made.sender.send(outgoing(b"late"))


async def test_stop_is_no_error_without_or_after_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    await made.sender.stop()
    await made.sender.start()
    await made.sender.stop()
    await made.sender.stop()
    assert made.producers[0].stopped


async def test_many_at_once_share_one_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    await asyncio.gather(*(made.sender.send(outgoing(b"%d" % number)) for number in range(50)))
    assert len(made.producers) == 1


async def test_many_at_once_share_the_failure_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def fails(*_args: Any) -> Any:
        nonlocal tries
        tries += 1
        # All of them have asked for it by then.
        for _ in range(200):
            await asyncio.sleep(0)
        raise BrokerUnavailable("no broker")

    sender = Made(monkeypatch).sender
    monkeypatch.setattr(module, "connect", fails)
    ended = await asyncio.gather(
        *(sender.send(outgoing(b"%d" % number)) for number in range(50)), return_exceptions=True
    )
    assert {type(error) for error in ended} == {BrokerUnavailable}
    assert tries == 1
    with pytest.raises(BrokerUnavailable):
        await sender.send(outgoing(b"again"))
    assert tries == 2


async def test_one_that_is_cancelled_while_it_connects_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Made(monkeypatch)
    first = asyncio.create_task(made.sender.send(outgoing(b"first")))
    second = asyncio.create_task(made.sender.send(outgoing(b"second")))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).custom_id == "second"
    assert len(made.producers) == 1


async def test_the_late_failure_of_an_old_producer_leaves_the_new_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fate = {b"%d" % number: OutOfOrderSequenceNumber() for number in range(5)}
    made = Made(monkeypatch, fate=fate)
    sent = [await made.sender._enqueue(outgoing(b"%d" % number)) for number in range(5)]
    with pytest.raises(BrokerUnavailable):
        await made.sender._acknowledged(outgoing(b"0"), sent[0])
    await made.sender.send(outgoing(b"well"))
    for number in range(1, 5):
        with pytest.raises(BrokerUnavailable):
            await made.sender._acknowledged(outgoing(b"%d" % number), sent[number])
    await made.sender.send(outgoing(b"well, too"))
    assert [producer.stopped for producer in made.producers] == [True, False]
