"""The Faust application: with our brokers and our security; without files, web server or environment of its own.

It is started as a service in our own event loop. `faust.Worker` is not used: it takes over signals, logging and the
title of the process. Faust reads `sys.argv` when it is imported (`--datadir`, `--loop` and `-L`, which we do not
have), so only router and table import it. docs/decisions/0013-faust-for-the-router.md says why Faust is kept apart.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import faust
from faust.auth import SASLCredentials, SSLCredentials
from yarl import URL

from streamverify.bus.connection import client_options
from streamverify.streams.assignor import AddressedAssignor
from streamverify.streams.faust_consumer import StreamConsumer, StreamProducer
from streamverify.streams.partition_store import PartitionStore
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faust.types.stores import StoreT
    from faust.types.transports import TransportT
    from faust.types.tuples import FutureMessage

    from streamverify.settings import Settings
    from streamverify.streams.stream_names import StreamNames

_COMMIT_SECONDS = 0.5
_MIN_REQUEST_TIMEOUT = 90.0
_REQUEST_OVER_SESSION = 10.0
"""Seconds by which a request must outlast the session: a join waits for the other members that long."""
_PRODUCE_TIMEOUT = 60.0
_BUFFERED = 512
"""Records between consumer and agent. With proofs of a megabyte this bounds the memory of a service."""

KeyT = TypeVar("KeyT", bound=tuple[int, str])
ValueT = TypeVar("ValueT")


_GIVE_UP_TIMEOUT = 5.0
"""Seconds that Faust gets to stop after a failure, when no record in hand is waited for."""


class Application(faust.App):
    """An app without files: its only table is in memory, and in its changelog topic."""

    def __init__(
        self,
        settings: Settings,
        names: StreamNames,
        on_fenced: Callable[[BaseException | None], None],
        **options: Any,
    ) -> None:
        """Connect to nothing yet.

        Args:
            settings: The settings of the command.
            names: What is read, under which names.
            on_fenced: Called, in the app's loop, with the error that says that another process has our name.
            options: Settings of Faust.
        """
        self.settings, self.names, self.on_fenced = settings, names, on_fenced
        self._given_up = False
        super().__init__(names.group, **options)

    async def give_up(self) -> None:
        """Stop after a failure, for a bounded time: the records in hand will never be acknowledged."""
        self._given_up = True
        await asyncio.wait({asyncio.create_task(self.stop())}, timeout=_GIVE_UP_TIMEOUT)

    def add_agent(self, table: faust.Table[Any, Any], run: Callable[[faust.StreamT[Any]], Awaitable[None]]) -> None:
        """Let `run` have the records of the source, and keep `table`."""
        self.tables.add(table)
        # Raw by name: with a type alone Faust still reads JSON, and acknowledges and drops what is no JSON.
        topic = self.topic(self.names.source, key_serializer="raw", value_serializer="raw", allow_empty=True)
        self.agent(topic, name=self.names.process.value, concurrency=1)(run)

    def _create_directories(self) -> None:
        """Make no directories: this application has no files."""

    def _new_transport(self) -> TransportT:
        transport = super()._new_transport()
        # As attributes of this one transport: the classes of Faust stay as they are for other apps.
        vars(transport).update(Consumer=StreamConsumer, Producer=StreamProducer)
        return transport

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        if not self._given_up:
            await super()._consumer_wait_empty(consumer, logger)


class PartitionedTable(faust.Table[KeyT, ValueT]):
    """A table by (partition, name); each change goes to the changelog's partition of that number.

    Faust takes the partition of a change from the record in hand, which it does not know after `take()`.
    """

    store_type: type[PartitionStore] = PartitionStore

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._unacknowledged: list[FutureMessage] = []

    def _new_store(self) -> StoreT[Any, Any]:
        return self.store_type("memory://", self.app, self, table_name=self.name, loop=self.loop)

    def partition_for_key(self, key: KeyT) -> int:
        """The partition of the source topic that the key names."""
        return key[0]

    def send_changelog(self, *given: Any, **options: Any) -> FutureMessage:
        """Remember each change that is sent: Faust's flush gives up after 0.1 s and leaves the rest unsent."""
        future: FutureMessage = super().send_changelog(*given, **options)
        self._unacknowledged.append(future)
        return future

    async def acknowledged(self) -> None:
        """Wait until the broker has every change."""
        # Taken first: changes that are sent meanwhile belong to the next batch.
        waiting, self._unacknowledged = self._unacknowledged, []
        await asyncio.gather(*waiting)


def make_application(
    settings: Settings,
    names: StreamNames,
    partitions: int,
    on_fenced: Callable[[BaseException | None], None],
    **options: Any,
) -> Application:
    """Make the app with its settings; it connects to nothing yet.

    Args:
        settings: The settings of the command.
        names: What is read, under which names.
        partitions: The number of partitions of the source topic, and so of the changelog.
        on_fenced: Gets the error that ends this process when another one has joined under its name.
        options: Settings of Faust that not every process needs.
    """
    session = settings.session_timeout_ms / 1000
    return Application(
        settings,
        names,
        on_fenced,
        # Otherwise Faust would read variables of its own from the environment (BROKER_URL, WEB_PORT, ...).
        env={},
        autodiscover=False,
        datadir=Path("/nonexistent"),
        broker=[URL(f"kafka://{server.strip()}") for server in settings.bootstrap_servers.split(",")],
        broker_client_id=f"streamverify-{names.process}-{__version__}",
        broker_credentials=_credentials(settings),
        broker_session_timeout=session,
        broker_request_timeout=max(_MIN_REQUEST_TIMEOUT, session + _REQUEST_OVER_SESSION),
        broker_heartbeat_interval=min(3.0, session / 3),
        broker_commit_interval=_COMMIT_SECONDS,
        consumer_group_instance_id=settings.group_instance_id,
        # A new group begins with what is there: those records are waiting to be forwarded, or to be shown.
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_request_timeout=_PRODUCE_TIMEOUT,
        # At least once: with aiokafka Faust's exactly-once cannot fence, and it holds each batch until a commit.
        processing_guarantee="at_least_once",
        stream_buffer_maxsize=_BUFFERED,
        stream_wait_empty=True,
        store="memory://",
        PartitionAssignor=AddressedAssignor,
        # Another member reads the changelog when it takes a partition over; following it all the time would only cost.
        table_standby_replicas=0,
        topic_partitions=partitions,
        # `topics create` makes all topics, the changelog too.
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        web_in_thread=False,
        worker_redirect_stdouts=False,
        **options,
    )


def quieten(level: str, *more: str) -> None:
    """Let Faust log warnings and errors only, unless the level is trace.

    Args:
        level: The log level of the command.
        more: Modules with further classes made from Faust's, which log under the name of their module.
    """
    for name in ("faust", "mode", __name__, StreamConsumer.__module__, PartitionStore.__module__, *more):
        logging.getLogger(name).setLevel(logging.DEBUG if level == "trace" else logging.WARNING)


def _credentials(settings: Settings) -> Any:
    options = client_options(settings)
    context = options.get("ssl_context")
    if "sasl_mechanism" in options:
        return SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None
