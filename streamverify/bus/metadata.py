"""Keeps our Kafka clients from making topics.

A metadata request names topics, and lets the broker make those that are missing unless it says otherwise: with the
broker's default settings, which lose verdicts, and whatever the name, a misspelt one too. Every client of Kafka sends
such requests again and again, so a topic that an operator deletes would come back before it can be made anew. The
protocol has a flag for it since its version 4, and aiokafka (0.14) has no option that sets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable


class _Connection(AIOKafkaConnection):
    """A connection whose metadata requests make no topic, unless one was built to make some."""

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:  # noqa: FBT001, FBT002 - aiokafka's
        if isinstance(request, MetadataRequest) and request._allow_auto_topic_creation is None:  # noqa: SLF001 - see above
            request = MetadataRequest(request._topics, allow_auto_topic_creation=False)  # noqa: SLF001 - see above
        answer: Awaitable[Any] = super().send(request, expect_response)  # type: ignore[no-untyped-call]
        return answer


class _NoCreateClient(AIOKafkaClient):
    """The client through which producers, consumers and admin clients send everything."""

    async def _get_conn(self, *given: Any, **options: Any) -> Any:
        connection = await super()._get_conn(*given, **options)  # type: ignore[no-untyped-call]
        # Its class is replaced, as aiokafka makes connections by a function of a module, for all clients at once.
        if connection is not None:
            connection.__class__ = _Connection
        return connection


def never_makes_topics(client: Any) -> None:
    """Have a producer, consumer or admin client of aiokafka, not started yet, make no topic, whatever it asks for.

    Only this one object is changed: other clients of aiokafka in the same process, which are a program's own, go on as
    they are.
    """
    # A producer has it as a public attribute, the others as a private one.
    kafka = getattr(client, "client", None) or getattr(client, "_client", None)
    if isinstance(kafka, AIOKafkaClient):
        kafka.__class__ = _NoCreateClient


async def make_by_asking(client: Any, topics: list[str]) -> None:
    """Ask for topics so that the broker makes those that are missing, with settings of its own.

    For the embedded broker only: it has no other way.
    """
    kafka = client._client  # noqa: SLF001 - the admin client has no public way to send a request
    await kafka.send(kafka.get_random_node(), MetadataRequest(topics, allow_auto_topic_creation=True))
