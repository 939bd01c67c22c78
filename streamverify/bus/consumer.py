"""The worker's side of the consumer group: delivery, restoring, commits, pauses.

Two tasks, each the only one to do its job: `poll` fetches, `own` commits and follows the rebalances. The rebalance
listener only posts to the owner's inbox. What to admit, commit and pause is decided by the pure `Ledger`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError

from streamverify.bus.connection import client_options, connect
from streamverify.bus.offsets import committed_offsets
from streamverify.bus.topics import open_admin
from streamverify.core.errors import WorkerStuck
from streamverify.core.ledger import Commit, Ledger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from streamverify.settings import Settings

    Record = ConsumerRecord[bytes | None, bytes | None]

_log = structlog.get_logger(__name__)

POLL_MS = 200
"""How long one poll waits for records, in milliseconds."""
FETCH_WAIT_MS = 100
"""How long a broker may hold a fetch that finds nothing. Kafka answers as soon as there is something; the embedded
broker only then, and this is what a proof waits for there."""
POLL_RECORDS = 200
"""Records taken in one go: more would hold up the event loop, and with it the answers of the REPLs."""
COMMIT_INTERVAL = 0.1
"""Seconds between two commits at least."""
COMMIT_TIMEOUT = 2.0
"""Seconds that one commit may take; two of them fit into `REVOKE_TIMEOUT`."""
REVOKE_TIMEOUT = 5.0
"""Seconds that the group is kept waiting for the last commit."""
RETRY = 1.0
"""Seconds until something that failed is tried again."""
MAX_POLL_ERRORS = 5
"""Polls that fail in a row before the worker ends."""
REBALANCE_TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Assigned:
    """The group has given us these partitions; they are paused."""

    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Revoked:
    """The group takes all partitions back; `done` is awaited by the listener."""

    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _CommitDue:
    """Something was completed, and the last commit is long enough ago."""


@dataclass(frozen=True, slots=True)
class _Flush:
    """Commit now what is complete; `done` gets whether the broker has all of it."""

    done: asyncio.Future[bool]


class _Listener(ConsumerRebalanceListener):
    """Posts to the owner. aiokafka sends no heartbeat meanwhile, and swallows exceptions."""

    def __init__(self, consumer: RequestConsumer) -> None:
        self._requests = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._requests.on_revoked(frozenset(tp.partition for tp in revoked))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._requests.on_assigned(frozenset(tp.partition for tp in assigned))


class RequestConsumer:
    """Delivers each request of the partitions that this worker owns, and commits what is complete."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_record: Callable[[Record, int], None],
        on_end: Callable[[int], None],
    ) -> None:
        """Make it.

        Args:
            settings: Where to connect, and as what.
            on_record: Called with each record that is to be answered and the number of its assignment.
            on_end: Called when that assignment has ended: what is queued for it is no longer ours.
        """
        self._settings = settings
        self._on_record = on_record
        self._on_end = on_end
        self._topic = settings.request_topic
        self._ledger = Ledger()
        self._inbox: asyncio.Queue[_Assigned | _Revoked | _CommitDue | _Flush] = asyncio.Queue()
        self._restoring: asyncio.Task[None] | None = None
        self._commit_timer: asyncio.TimerHandle | None = None
        self._last_commit = 0.0
        self._draining = False
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self.joined = False
        """The group has given us our share, and we know where to read it from."""

    async def start(self, patience: float) -> None:
        """Connect and join the group.

        Raises:
            BrokerUnavailable: No broker answered within `patience` seconds.
        """
        self._admin = await open_admin(self._settings, patience)
        self._closers.append(self._admin.close)
        self._consumer = await connect(self._make_consumer, self._settings.bootstrap_servers, patience=patience)
        self._closers.insert(0, self._consumer.stop)
        self._consumer.subscribe([self._topic], listener=_Listener(self))

    def _make_consumer(self) -> AIOKafkaConsumer:
        session = self._settings.session_timeout_ms
        return AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=self._settings.group_id,
            group_instance_id=self._settings.group_instance_id,
            # Two strategies on offer would make every member join twice.
            partition_assignment_strategy=(StickyPartitionAssignor,),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            session_timeout_ms=session,
            heartbeat_interval_ms=min(3_000, session // 3),
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            request_timeout_ms=REBALANCE_TIMEOUT_MS + 10_000,
            # A worker whose proofs all take minutes still polls: only a stuck one stops.
            max_poll_interval_ms=max(300_000, session),
        )

    # --- polling ------------------------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Fetch and deliver until closed; paused or draining, too, or the group would give us up.

        Raises:
            WorkerStuck: Fetching fails again and again.
        """
        errors = 0
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                errors += 1
                if errors == MAX_POLL_ERRORS:
                    raise WorkerStuck(f"fetching from {self._topic} fails: {error!r}") from error
                _log.warning("fetch_failed", error=repr(error), times=errors)
                await asyncio.sleep(RETRY)
                continue
            errors = 0
            for tp, records in batches.items():
                self._deliver(tp.partition, records)
            self._apply_pauses()

    def _deliver(self, partition: int, records: Iterable[Record]) -> None:
        for record in records:
            if self._ledger.admit(partition, record.offset, _size(record)):
                self._on_record(record, self._ledger.assignment)

    def _apply_pauses(self) -> None:
        pauses = self._ledger.pauses()
        if not (pauses.pause or pauses.resume):
            return
        # A rebalance that the owner has not heard of yet may have taken some: aiokafka refuses to pause those.
        assigned = self._consumer.assignment()
        self._consumer.pause(*(tp for tp in self._tps(pauses.pause) if tp in assigned))
        if not self._draining:
            self._consumer.resume(*(tp for tp in self._tps(pauses.resume) if tp in assigned))

    def drain(self) -> None:
        """Take no more records; go on polling and committing."""
        self._draining = True
        self._consumer.pause(*self._consumer.assignment())

    # --- completions and commits --------------------------------------------------------------------------------

    def complete(self, partition: int, offset: int, assignment: int) -> None:
        """The answer to the record is acknowledged by the broker; commit soon."""
        self._ledger.complete(partition, offset, assignment)
        if self._commit_timer is None:
            self._schedule_commit(max(0.0, self._last_commit + COMMIT_INTERVAL - time.monotonic()))

    def owns(self, partition: int, assignment: int) -> bool:
        """Whether the record of a job is still ours to complete."""
        return self._ledger.owns(partition, assignment)

    @property
    def in_flight(self) -> int:
        """Records queued, running, or finished since the last acknowledged commit."""
        return self._ledger.in_flight

    def _schedule_commit(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        self._commit_timer = loop.call_later(delay, self._inbox.put_nowait, _CommitDue())

    async def flush(self) -> bool:
        """Commit what is complete, now; whether the broker has all of it."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(_Flush(done))
        return await done

    async def own(self) -> None:
        """Commit, and follow the rebalances, until cancelled."""
        try:
            while True:
                match await self._inbox.get():
                    case _CommitDue():
                        self._commit_timer = None
                        if not await self._commit():
                            self._schedule_commit(RETRY)
                    case _Flush(done):
                        done.set_result(await self._commit())
                    case _Revoked(done):
                        await self._end_assignment()
                        if not done.done():
                            done.set_result(None)
                    case _Assigned(partitions):
                        self._begin_assignment(partitions)
        finally:
            if self._restoring:
                self._restoring.cancel()

    async def _commit(self) -> bool:
        """Commit what has changed; False where the broker did not take it."""
        commit = self._ledger.commit()
        if commit is None:
            return True
        self._last_commit = time.monotonic()
        points = {TopicPartition(self._topic, partition): point for partition, point in commit.points.items()}
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._consumer.commit(points)
        except (KafkaError, TimeoutError) as error:
            _log.warning("commit_failed", error=repr(error))
            return False
        self._acknowledge(commit)
        return True

    def _acknowledge(self, commit: Commit) -> None:
        self._ledger.acknowledged(commit)
        self._apply_pauses()

    # --- rebalances ---------------------------------------------------------------------------------------------

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """The listener's part: have the owner make its last commit, for a bounded time."""
        self.joined = False
        _log.info("partitions_revoked", partitions=sorted(partitions))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(_Revoked(done))
        with suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_TIMEOUT):
                await done

    def on_assigned(self, partitions: frozenset[int]) -> None:
        """The listener's part: hold delivery until the owner knows where to read from."""
        self._consumer.pause(*self._tps(partitions))
        _log.info("partitions_assigned", partitions=sorted(partitions))
        self._inbox.put_nowait(_Assigned(partitions))

    async def _end_assignment(self) -> None:
        """Make the last commit and forget the partitions. No commit follows until the next assignment."""
        if self._restoring:
            self._restoring.cancel()
        await self._commit()
        self._ledger.end()
        self._on_end(self._ledger.assignment)

    def _begin_assignment(self, partitions: frozenset[int]) -> None:
        assignment = self._ledger.begin()
        self._restoring = asyncio.create_task(self._restore(partitions, assignment))

    async def _restore(self, partitions: frozenset[int], assignment: int) -> None:
        """Read where the group stands, seek there, resume; until it succeeds the partitions stay paused."""
        while assignment == self._ledger.assignment:
            try:
                self._resume(await self._starts(partitions))
            except (KafkaError, TimeoutError) as error:
                _log.warning("restore_failed", error=repr(error), retry_seconds=RETRY)
                await asyncio.sleep(RETRY)
            else:
                return

    async def _starts(self, partitions: frozenset[int]) -> Mapping[int, int]:
        committed = await committed_offsets(self._admin, self._settings.group_id, self._topic, partitions)
        first = await self._consumer.beginning_offsets(self._tps(partitions)) if partitions else {}
        starts = {}
        for tp, beginning in first.items():
            offset = committed[tp.partition]
            starts[tp.partition] = max(beginning, offset or 0)
            if offset is not None and offset < beginning:
                _log.error(
                    "lost_by_retention",
                    partition=tp.partition,
                    records=beginning - offset,
                    from_offset=offset,
                )
        return starts

    def _resume(self, starts: Mapping[int, int]) -> None:
        for partition, start in starts.items():
            self._consumer.seek(TopicPartition(self._topic, partition), start)
            self._ledger.own(partition, start)
        if starts and not self._draining:
            self._consumer.resume(*self._tps(starts))
        self.joined = True
        _log.info("partitions_restored", starts=dict(sorted(starts.items())))

    def _tps(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    async def close(self, timeout: float) -> None:
        """Leave the group. In a pending join aiokafka takes up to half a minute: not longer than `timeout` seconds."""
        if self._commit_timer:
            self._commit_timer.cancel()
        closers, self._closers = self._closers, []
        for close in closers:
            # A task of its own: aiokafka's stop() may end in the CancelledError of one of its own tasks.
            closing = asyncio.ensure_future(close())
            await asyncio.wait({closing}, timeout=timeout)
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)


def _size(record: Record) -> int:
    """What a record weighs in memory, roughly: its key and its value."""
    return len(record.key or b"") + len(record.value or b"")


def plain_headers(record: Record) -> list[tuple[str, bytes | None]]:
    """A consumed record's headers as a producer wants them."""
    headers: Any = record.headers
    return [(key, value) for key, value in headers]
