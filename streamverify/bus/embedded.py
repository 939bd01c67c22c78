"""The embedded broker: librdkafka's mock cluster, in memory, behind the real protocol.

For the demo and fast tests. What it cannot do is in `LIMITS`; Apache Kafka is for everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from types import TracebackType

LIMITS = (
    "it lives in memory and forgets everything when it stops",
    "it keeps about 5 MB a partition and forgets what is older",
    "a consumer group has one member: one worker",
    "topics appear on first use, with 4 partitions, and cannot be configured",
)
_START_TIMEOUT = 10.0


class EmbeddedBroker:
    """A mock cluster of one broker on a free loopback port, for as long as the context lasts."""

    bootstrap_servers: str

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            BrokerUnavailable: `confluent-kafka` (the extra `embedded`) is not installed.
        """
        try:
            from confluent_kafka import Producer  # noqa: PLC0415 - an optional dependency
        except ImportError:
            raise BrokerUnavailable(
                "the embedded broker needs confluent-kafka: pip install 'streamverify[embedded]'"
            ) from None
        # The mock cluster belongs to this client instance and ends with it.
        self._owner: Any = Producer({"test.mock.num.brokers": 1, "log_level": 2})
        brokers = self._owner.list_topics(timeout=_START_TIMEOUT).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it; its data is gone."""
        del self._owner
