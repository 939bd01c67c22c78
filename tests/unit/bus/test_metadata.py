"""No client of ours makes a topic by naming it: on the embedded broker, which makes topics if it is let."""

from __future__ import annotations

import ast
import asyncio
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

import streamverify
from streamverify.bus.admin import open_admin, patient_admin
from streamverify.bus.connection import connect, make_producer, make_reader
from streamverify.bus.embedded import EmbeddedBroker
from streamverify.bus.metadata import never_makes_topics
from streamverify.bus.presence import find_topics, require_topics, topic_partitions
from streamverify.core.errors import BrokerUnavailable
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.settings import Settings


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with EmbeddedBroker() as broker:
        yield load_settings(bootstrap_servers=broker.bootstrap_servers)


def some_name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


async def there(settings: Settings, topic: str) -> bool:
    admin = await open_admin(settings)
    try:
        return topic in await admin.list_topics()
    finally:
        await admin.close()


async def name_it(client: Any, topic: str) -> None:
    """Have a client ask for a topic, as it does before it sends, reads or looks one up, and again later."""
    kafka = client.client if isinstance(client, AIOKafkaProducer) else client._client
    kafka.set_topics([topic])
    for _ in range(3):
        await kafka.force_metadata_update()


async def test_a_client_of_aiokafka_makes_a_topic_and_the_same_one_of_ours_does_not(settings: Settings) -> None:
    """The first half shows that the second means something."""
    topic, ours = some_name(), some_name()
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers) as producer:
        await name_it(producer, topic)
    assert await there(settings, topic)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    never_makes_topics(producer)
    async with producer:
        await name_it(producer, ours)
    assert not await there(settings, ours)


async def test_a_producer_and_a_reader_make_none(settings: Settings) -> None:
    topic = some_name()
    makers: tuple[Any, ...] = (make_producer, make_reader)
    for make in makers:
        client = await connect(partial(make, settings), settings.bootstrap_servers)
        await name_it(client, topic)
        await client.stop()
    assert not await there(settings, topic)


async def test_a_consumer_that_subscribes_or_is_assigned_makes_none(settings: Settings) -> None:
    subscribed, assigned = some_name(), some_name()
    for topic in (subscribed, assigned):
        consumer = await connect(
            lambda: AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers), settings.bootstrap_servers
        )
        if topic == subscribed:
            consumer.subscribe([topic])
        else:
            consumer.assign([TopicPartition(topic, 0)])
        await name_it(consumer, topic)
        await consumer.stop()
        assert not await there(settings, topic)


async def test_an_admin_client_makes_none_and_finds_none(settings: Settings) -> None:
    topic = some_name()
    async with patient_admin(settings) as admin:
        for _ in range(2):
            assert (await find_topics(admin, [topic])).missing == [topic]
    assert not await there(settings, topic)


async def test_at_the_embedded_broker_a_topic_that_is_needed_is_made(settings: Settings) -> None:
    """It has no other way to make one: the demo and fast tests rest on it."""
    one, two = some_name(), some_name()
    assert len(await topic_partitions(settings, one)) == 4
    async with patient_admin(settings) as admin:
        found = await require_topics(admin, settings, [two, one])
    assert found == {name: [TopicPartition(name, number) for number in range(4)] for name in (two, one)}


async def test_a_real_broker_is_not_asked_to_make_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def controller(_admin: Any) -> bool:
        return True

    monkeypatch.setattr("streamverify.bus.presence._has_controller", controller)
    names = [some_name(), some_name()]
    # One who waited for the topics would wait for an hour.
    async with asyncio.timeout(60):
        async with patient_admin(settings, broker_timeout=3600.0) as admin:
            with pytest.raises(BrokerUnavailable) as caught:
                await require_topics(admin, settings, names)
    said = f"no topic {', '.join(names)} on {settings.bootstrap_servers}: streamverify topics create"
    assert (str(caught.value), caught.value.exit_code) == (said, 4)
    assert not any([await there(settings, name) for name in names])


def test_every_client_of_ours_is_connected_where_it_is_kept_from_making_topics() -> None:
    """A client of aiokafka is built by these functions alone, and `connect` (or Faust's subclass) gets each of them."""
    root = Path(streamverify.__file__).parent
    built = {
        (file.relative_to(root).as_posix(), node.func.id)
        for file in root.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("AIOKafka")
    }
    assert built == {
        ("bus/connection.py", "AIOKafkaProducer"),
        ("bus/connection.py", "AIOKafkaConsumer"),
        ("bus/admin.py", "AIOKafkaAdminClient"),
        ("bus/consumer.py", "AIOKafkaConsumer"),
    }
