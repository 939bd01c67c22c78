"""The embedded broker: librdkafka's mock cluster, in memory, behind the real protocol.

For the demo and fast tests. What it cannot do is in `LIMITS`; Apache Kafka is for everything else.

The cluster is made by librdkafka's C interface (`rdkafka_mock.h`), in the library that confluent-kafka brings. The
Python one can make a cluster, too, but not say that a group's first member need not wait three seconds for others.
"""

from __future__ import annotations

import ctypes
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
_PRODUCER = 0
_ERROR_BYTES = 512


class EmbeddedBroker:
    """A mock cluster of one broker on a free loopback port, for as long as the context lasts."""

    bootstrap_servers: str

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            BrokerUnavailable: `confluent-kafka` (the extra `embedded`) is not installed.
        """
        self._library = _load()
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        settings = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(settings, b"log_level", b"2", error, _ERROR_BYTES)
        # The mock cluster belongs to a client instance, which has to be there as long as the cluster is.
        self._owner = self._library.rd_kafka_new(_PRODUCER, settings, error, _ERROR_BYTES)
        if not self._owner:
            raise BrokerUnavailable(f"the embedded broker does not start: {error.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._owner, 1)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._owner)
            raise BrokerUnavailable("the embedded broker does not start: it cannot listen on a port of 127.0.0.1")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap_servers = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it; its data is gone."""
        # In this order: the cluster uses the client instance that owns it.
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._owner)


def _load() -> Any:
    """Return librdkafka with the types of what is used of it.

    Raises:
        BrokerUnavailable: `confluent-kafka` is not installed.
    """
    try:
        from confluent_kafka import cimpl  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise BrokerUnavailable(
            "the embedded broker needs confluent-kafka: pip install 'streamverify[embedded]'"
        ) from None
    # Symbols are looked up in what the module is linked to, too, so this is the library that the module uses itself.
    library = ctypes.CDLL(cimpl.__file__)
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    for name, returned, arguments in (
        ("rd_kafka_conf_new", pointer, ()),
        ("rd_kafka_conf_set", ctypes.c_int, (pointer, text, text, text, size)),
        ("rd_kafka_new", pointer, (ctypes.c_int, pointer, text, size)),
        ("rd_kafka_destroy", None, (pointer,)),
        ("rd_kafka_mock_cluster_new", pointer, (pointer, ctypes.c_int)),
        ("rd_kafka_mock_cluster_bootstraps", text, (pointer,)),
        ("rd_kafka_mock_cluster_destroy", None, (pointer,)),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, (pointer, ctypes.c_int32)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = returned, arguments
    return library
