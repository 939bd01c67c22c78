"""Raw records for tests: what a foreign producer sends, and what lies on a topic."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streamverify.core.messages.codec import decode_result
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import ConsumerRecord

    from streamverify.core.messages.models import ProofResult

    Record = ConsumerRecord[Any, Any]

_PATIENCE = 300.0


async def send(
    env: Mapping[str, str],
    values: Sequence[bytes | None],
    *,
    compression: str | None = None,
    key: bytes | None = b"key",
    kafka_headers: Sequence[tuple[str, bytes]] = (),
) -> None:
    """Put values on the request topic as a foreign producer would."""
    producer = AIOKafkaProducer(
        bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"], compression_type=compression, linger_ms=5
    )
    await producer.start()
    try:
        topic = env[PREFIX + "REQUEST_TOPIC"]
        sent = [await producer.send(topic, value, key, headers=list(kafka_headers)) for value in values]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def read(env: Mapping[str, str], topic: str, count: int, patience: float = _PATIENCE) -> list[Record]:
    """The first records of a topic named by its setting, `count` or more of them.

    Raises:
        TimeoutError: There were not so many within `patience` seconds.
    """
    consumer = AIOKafkaConsumer(
        env[PREFIX + topic],
        bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"],
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    records: list[Record] = []
    try:
        async with asyncio.timeout(patience):
            while len(records) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
    except TimeoutError:
        raise TimeoutError(f"{len(records)} of {count} records on {topic} within {patience:g} s") from None
    finally:
        await consumer.stop()
    return records


async def results(env: Mapping[str, str], custom_ids: set[str], patience: float = _PATIENCE) -> dict[str, ProofResult]:
    """One result of each custom_id, once all are there; the last one where there are several."""
    found: dict[str, ProofResult] = {}
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience
    while not custom_ids <= found.keys():
        if loop.time() > give_up:
            raise TimeoutError(f"no result for {sorted(custom_ids - found.keys())[:5]} within {patience:g} s")
        for record in await read(env, "RESULT_TOPIC", max(1, len(found) + 1), max(1.0, give_up - loop.time())):
            result = decode_result(record.value)
            assert record.key == result.custom_id.encode()
            found[result.custom_id] = result
    return found
