"""The Faust application: with our brokers and our security; without files, web server or environment of its own.

It is started as a service in our own event loop. `faust.Worker` is not used: it takes over signals, logging and the
title of the process. Faust reads `sys.argv` when it is imported (`--datadir`, `--loop` and `-L`, which we do not
have), so only the router imports it. docs/decisions/0013-faust-for-the-router.md says why Faust is kept apart.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import faust
from faust.auth import SASLCredentials, SSLCredentials
from yarl import URL

from streamverify.bus.connection import client_options
from streamverify.bus.topics import router_group
from streamverify.router.consumer import RouterConsumer, RouterProducer
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from faust.stores.memory import Store
    from faust.types.transports import TransportT
    from faust.types.tuples import FutureMessage

    from streamverify.router.counts import Key
    from streamverify.settings import Settings

TABLE = "headers"
"""The name of the table with the counts, and a part of its changelog's name."""
_COMMIT_SECONDS = 0.5
_MIN_REQUEST_TIMEOUT = 90.0
_REQUEST_OVER_SESSION = 10.0
"""Seconds by which a request must outlast the session: a join waits for the other members that long."""
_PRODUCE_TIMEOUT = 60.0
_BUFFERED = 512
"""Records between consumer and agent. With proofs of a megabyte this bounds the memory of the router."""


class Application(faust.App):
    """An app without files: its only table is in memory, and in its changelog topic."""

    hopeless = False
    """Set it before `stop()` if the records in hand will never be acknowledged, so that nothing waits for them."""
    settings: Settings
    on_fenced: Callable[[BaseException | None], None]
    """Called, in the app's loop, with the error that says that another router has our name."""

    def _create_directories(self) -> None:
        """Make no directories: this application has no files."""

    def _new_transport(self) -> TransportT:
        transport = super()._new_transport()
        vars(transport).update(Consumer=RouterConsumer, Producer=RouterProducer)
        return transport

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        if not self.hopeless:
            await super()._consumer_wait_empty(consumer, logger)


class HeaderTable(faust.Table["Key", dict[str, Any]]):
    """Counts by (partition, fingerprint); each change goes to the changelog's partition of that number.

    Faust takes the partition of a change from the record in hand, which it does not know after `take()`.
    """

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._unacknowledged: list[FutureMessage] = []

    def partition_for_key(self, key: Key) -> int:
        """The partition of the ingest topic that the key names."""
        return key[0]

    def send_changelog(self, *given: Any, **options: Any) -> FutureMessage:
        """Remember each change that is sent: Faust's flush gives up after 0.1 s and leaves the rest unsent."""
        future: FutureMessage = super().send_changelog(*given, **options)
        self._unacknowledged.append(future)
        return future

    async def acknowledged(self) -> None:
        """Wait until the broker has every change."""
        waiting, self._unacknowledged = self._unacknowledged, []
        await asyncio.gather(*waiting)

    def on_key_set(self, key: Key, value: Any) -> None:
        """Tell the store the partition of the key: otherwise it would keep the key when the partition is lost."""
        super().on_key_set(key, value)
        cast("Store[Any, Any]", self.data)._key_partition[key] = key[0]  # noqa: SLF001 - as recovery does

    def on_key_del(self, key: Key) -> None:
        """Have the store forget the partition of the key."""
        super().on_key_del(key)
        cast("Store[Any, Any]", self.data)._key_partition.pop(key, None)  # noqa: SLF001 - as recovery does


def make_application(
    settings: Settings, partitions: int, on_fenced: Callable[[BaseException | None], None]
) -> Application:
    """Make the app with its settings; it connects to nothing yet.

    Args:
        settings: The settings of the command.
        partitions: The number of partitions of the ingest topic, and so of the changelog.
        on_fenced: Gets the error that ends this router when another one has joined under its name.
    """
    session = settings.session_timeout_ms / 1000
    app = Application(
        router_group(settings),
        # Otherwise Faust would read variables of its own from the environment (BROKER_URL, WEB_PORT, ...).
        env={},
        autodiscover=False,
        datadir=Path("/nonexistent"),
        broker=[URL(f"kafka://{server.strip()}") for server in settings.bootstrap_servers.split(",")],
        broker_client_id=f"streamverify-router-{__version__}",
        broker_credentials=_credentials(settings),
        broker_session_timeout=session,
        broker_request_timeout=max(_MIN_REQUEST_TIMEOUT, session + _REQUEST_OVER_SESSION),
        broker_heartbeat_interval=min(3.0, session / 3),
        broker_commit_interval=_COMMIT_SECONDS,
        consumer_group_instance_id=settings.group_instance_id,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_request_timeout=_PRODUCE_TIMEOUT,
        # At least once: with aiokafka Faust's exactly-once cannot fence, and it holds each batch until a commit.
        processing_guarantee="at_least_once",
        stream_buffer_maxsize=_BUFFERED,
        stream_wait_empty=True,
        store="memory://",
        Table=HeaderTable,
        # Another router reads the changelog when it takes a partition over; following it all the time would only cost.
        table_standby_replicas=0,
        topic_partitions=partitions,
        # `topics create` makes all topics, the changelog too.
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        web_in_thread=False,
        worker_redirect_stdouts=False,
    )
    app.settings = settings
    app.on_fenced = on_fenced
    return app


def quieten(level: str) -> None:
    """Let Faust log warnings and errors only, unless the level is trace."""
    for name in ("faust", "mode", __name__, RouterConsumer.__module__):
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
