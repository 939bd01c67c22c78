"""Faust's consumer, changed so that it loses nothing in a rebalance and does not outlive a service that gives up.

Its producer is here, too: neither of the two makes a topic.

After each rebalance Faust rewinds to the committed offsets, but it still delivers a fetch that was under way then. With
that fetch the position moves on. The records after the rewind come later, count as old and are dropped; the missing
records before an acknowledged one count as a gap in the topic, and are committed over (faust-streaming 0.15.3;
measured: one record lost in a dozen rebalances under load). Here no fetch overlaps a rewind, and records that were
fetched before a rewind are not delivered after it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, cast

from faust.transport.drivers import aiokafka as driver
from mode.threads import ServiceThread, WorkerThread

from streamverify.bus.admin import open_admin
from streamverify.bus.fencing import Fence
from streamverify.bus.metadata import never_makes_topics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable

    from aiokafka.admin import AIOKafkaAdminClient
    from faust.types import TP
    from faust.types.tuples import Message

    from streamverify.settings import Settings
    from streamverify.streams.assignor import AddressedAssignor
    from streamverify.streams.stream_names import StreamNames


class _Application(Protocol):
    """The part of its application that the consumer uses: `application.Application` makes this consumer."""

    settings: Settings
    names: StreamNames
    on_fenced: Callable[[BaseException | None], None]
    loop: asyncio.AbstractEventLoop


class _DaemonThread(WorkerThread):
    """A thread that the end of the process does not wait for: it may hang on a broker that is gone."""

    def __init__(self, service: ServiceThread, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True


class _FencedListener(driver.ConsumerRebalanceListener):
    """Asks, before a member whom the group no longer knows joins again, whether another process has its name."""

    _thread: _ConsumerThread

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> Awaitable[None]:
        """Let Faust know at once, as it wants to, and wait for the answer before it goes on."""
        return self._join_again(super().on_partitions_revoked(revoked))

    async def _join_again(self, revoking: Awaitable[None]) -> None:
        fence = self._thread.fence
        if fence is not None and not await fence.may_rejoin():
            cast("Coroutine[Any, Any, None]", revoking).close()
            # Ends aiokafka's task that would join again and take the name back. It lets this one exception through.
            raise asyncio.CancelledError
        await revoking

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Note under which member id the group knows us."""
        if self._thread.fence is not None:
            self._thread.fence.joined()
        await super().on_partitions_assigned(assigned)
        if cast("AddressedAssignor", self._thread.app.assignor).outdated:
            # What the group was told at this join differs from the last, by the assignment: so it makes a new one.
            self._thread.join_again()


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread with Kafka's consumer, which makes no topics, and ends when another process takes its name."""

    Worker = _DaemonThread
    fence: Fence | None = None
    _admin: AIOKafkaAdminClient | None = None

    async def on_start(self) -> None:
        """Connect; with a `group_instance_id` a client for questions to the group, too."""
        await super().on_start()
        app = cast("_Application", self.app)
        if app.settings.group_instance_id is None:
            return
        # In this thread, as the loop of an aiokafka client is that in which it was made.
        self._admin = await open_admin(app.settings)
        name = app.settings.group_instance_id
        self.fence = Fence(app.names.group, name, self._ensure_consumer(), self._admin, kind=app.names.process)
        await self.fence.announce()
        watching = asyncio.create_task(self.fence.watch(), name="fence")
        # Faust's loop is another thread's.
        watching.add_done_callback(
            lambda task: None if task.cancelled() else app.loop.call_soon_threadsafe(app.on_fenced, task.exception())
        )
        self._watching = watching

    async def on_thread_stop(self) -> None:
        """Disconnect."""
        await super().on_thread_stop()
        if self._admin is not None:
            self._watching.cancel()
            await self._admin.close()

    def join_again(self) -> None:
        """Have the group make a new assignment."""
        coordinator: Any = self._ensure_consumer()._coordinator  # noqa: SLF001 - aiokafka offers no other way
        coordinator.request_rejoin()

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> Any:
        consumer = super()._create_consumer(loop)
        never_makes_topics(consumer)
        return consumer


class StreamProducer(driver.Producer):
    """The producer that the app's transport makes instead of Faust's own: it makes no topics."""

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        never_makes_topics(producer)
        return producer


class StreamConsumer(driver.Consumer):
    """The consumer that the app's transport makes instead of Faust's own."""

    RebalanceListener = _FencedListener

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._moving = asyncio.Lock()
        self._rewinds = 0
        self._fetched_after = 0
        self._rewound_to: dict[TP, int | None] = {}

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        rewinds = self._rewinds
        async with self._moving:
            records = await super()._getmany(active_partitions, timeout)
        self._fetched_after = rewinds
        return records

    async def perform_seek(self) -> None:
        """Rewind to the committed offsets. Records that were fetched before are not delivered any more."""
        self._rewinds += 1
        async with self._moving:
            await super().perform_seek()
            # Before anything else can run: what is delivered at the moment is noted as read when it is through.
            self._rewound_to = dict(self._read_offset)
            await self._rewind_to_the_beginning()

    async def _rewind_to_the_beginning(self) -> None:
        """Rewind the partitions without a commit to their beginning: Faust leaves them where they are."""
        uncommitted = {
            tp for tp in self.assignment() if self._committed_offset[tp] is None and not self._is_changelog_tp(tp)
        }
        if uncommitted:
            for tp, offset in (await self.earliest_offsets(*uncommitted)).items():
                await self.seek(tp, offset)
                self._rewound_to[tp] = self._read_offset[tp]

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yield the fetched records, up to the next rewind."""
        records = cast("AsyncGenerator[tuple[TP, Message]]", super().getmany(timeout))
        async with aclosing(records):
            async for tp, message in records:
                if self._rewinds != self._fetched_after:
                    return
                yield tp, message
                if self._rewinds != self._fetched_after:
                    # Its delivery has outlasted a rewind, and Faust has noted it as read since: it would drop all that
                    # come again before it, and never commit what comes after it.
                    async with self._moving:
                        self._read_offset[tp] = self._rewound_to.get(tp)
                    return

    def forget(self, message: Message) -> None:
        """Do not wait for the acknowledgement of a record that is left to the next owner of its partition.

        In a rebalance Faust waits until every record that a stream has begun is acknowledged, without a limit, and as
        long as anything refers to the record: the stream does to its last one. So one record of an earlier assignment
        that was left alone, as it must be, stopped the next rebalance, and with it the whole group (seen under load).
        """
        self._unacked_messages.discard(message)

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch a partition again, as there is room for its records, unless it is another member's by now."""
        if tp in self.assignment() and tp not in self._paused_partitions:
            super().on_buffer_drop(tp)
        else:
            self._buffered_partitions.discard(tp)
