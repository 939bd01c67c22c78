"""An admin client for whoever starts: each call waits, for a bounded time, for brokers that are not ready.

aiokafka sends a request of an admin client to *any* broker that the cluster names, once. While one broker of a cluster
comes up, is down or hangs, that fails for a share of the calls, and the next try reaches another broker.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamverify.bus.connection import BROKER_TIMEOUT, TRY_SECONDS, client_options, connect, explain_failure, patiently
from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiokafka.admin import NewPartitions

    from streamverify.settings import Settings

T = TypeVar("T")


async def open_admin(settings: Settings, broker_timeout: float = BROKER_TIMEOUT) -> AIOKafkaAdminClient:
    """Connect an admin client, to be closed by the caller; its calls are tried once (at start: `patient_admin`).

    Raises:
        BrokerUnavailable: No broker answers.
    """
    return await connect(
        lambda: AIOKafkaAdminClient(**client_options(settings)),
        settings.bootstrap_servers,
        broker_timeout=broker_timeout,
    )


@asynccontextmanager
async def patient_admin(settings: Settings, broker_timeout: float = BROKER_TIMEOUT) -> AsyncIterator[PatientAdmin]:
    """Connect an admin client for the time of the context; each of its calls is tried for `broker_timeout` seconds.

    Raises:
        BrokerUnavailable: No broker answers, a call has failed for `broker_timeout` seconds, or a broker refuses one.
    """
    # One client for all calls: each connection costs a handshake, with TLS and SASL several.
    client = await open_admin(settings, broker_timeout)
    try:
        yield PatientAdmin(client, settings.bootstrap_servers, broker_timeout)
    except KafkaError as error:
        # What is refused for good is left to the caller, who may know better words; here none did.
        raise BrokerUnavailable(explain_failure(error, settings.bootstrap_servers)) from error
    finally:
        await client.close()


class PatientAdmin:
    """The calls of aiokafka's admin client that a start needs, each tried again while brokers are not ready.

    Every method raises BrokerUnavailable after `broker_timeout` seconds, and a KafkaError where a broker refuses.
    """

    def __init__(self, client: AIOKafkaAdminClient, servers: str, broker_timeout: float = BROKER_TIMEOUT) -> None:
        self._client = client
        self._servers = servers
        self._broker_timeout = broker_timeout

    async def describe_cluster(self) -> dict[str, Any]:
        """Return the brokers and the controller."""
        return await self._ask(self._client.describe_cluster)

    async def create_partitions(self, totals: dict[str, NewPartitions]) -> Any:
        """Give topics more partitions."""
        return await self._ask(lambda: self._client.create_partitions(totals), BROKER_TIMEOUT)

    async def ask(self, call: Callable[[AIOKafkaAdminClient], Awaitable[T]], *, try_seconds: float = TRY_SECONDS) -> T:
        """Make any other call that is safe to be made twice, and that raises the errors that brokers answer."""
        return await self._ask(lambda: call(self._client), try_seconds)

    async def _ask(self, call: Callable[[], Awaitable[T]], try_seconds: float = TRY_SECONDS) -> T:
        return await patiently(call, self._servers, broker_timeout=self._broker_timeout, try_seconds=try_seconds)
