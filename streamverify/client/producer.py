"""A producer for one task, such as a replay of dead letters: it is stopped when the task is done."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from streamverify.bus.connection import connect, make_producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import AIOKafkaProducer

    from streamverify.settings import Settings

_STOP_TIMEOUT = 5.0


@asynccontextmanager
async def open_producer(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """Connect a producer for the time of the context.

    Args:
        settings: The broker.
        options: aiokafka's, over those that our producers have.

    Raises:
        BrokerUnavailable: No broker answers within about ten seconds.
    """
    producer = await connect(lambda: make_producer(settings, **options), settings.bootstrap_servers)
    try:
        yield producer
    finally:
        await stop_in_time(producer)


async def stop_in_time(producer: AIOKafkaProducer) -> None:
    """Stop a producer. What it has is still sent, for a few seconds: a broker that is gone must not hold us."""
    with suppress(TimeoutError, KafkaError):
        await asyncio.wait_for(producer.stop(), timeout=_STOP_TIMEOUT)
