"""The worker's side of the consumer group: it polls, delivers, pauses, and hears of rebalances.

Two tasks, each the only one to do its job: `poll` fetches, and the `Owner` commits and follows the rebalances. The
rebalance listener only posts to the owner. What to admit, commit and pause is decided by the pure `Ledger`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError

from streamverify.bus.admin import open_admin
from streamverify.bus.connection import client_options, connect
from streamverify.bus.owner import Owner
from streamverify.bus.retention import RetentionWatch
from streamverify.core.errors import WorkerStuck
from streamverify.core.ledger import Ledger
from streamverify.core.watchdog import Health, Watchdog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.core.ledger import Admission, Place, Standing
    from streamverify.settings import Settings

    Record = ConsumerRecord[bytes | None, bytes | None]

_log = structlog.get_logger(__name__)

POLL_MS = 200
"""How long one poll waits for records, in milliseconds."""
METADATA_AGE_MS = 60_000
FETCH_WAIT_MS = 100
"""How long a broker may hold a fetch that finds nothing. Kafka answers as soon as there is something; the embedded
broker only then, and this is what a proof waits for there."""
POLL_RECORDS = 200
"""Records taken in one go: more would hold up the event loop, and with it the answers of the REPLs."""
REVOKE_TIMEOUT = 5.0
"""Seconds that the group is kept waiting for the last commit."""
RETRY = 1.0
"""Seconds until a poll that failed is tried again."""
MAX_POLL_ERRORS = 5
"""Polls that fail alike, none of them longer than `FORGIVEN` after the one before, before the worker ends."""
FORGIVEN = 30.0
REBALANCE_TIMEOUT_MS = 60_000
WATCH_SECONDS = 5.0
"""How often the watchdog looks, and how long it waits for the broker."""


class Worker(Protocol):
    """Who works on what is delivered. Every method is called in the event loop, and must not raise."""

    def receive(self, record: Record, admission: Admission) -> None:
        """Work on a record that is new."""

    def drop(self, partitions: frozenset[int]) -> list[Place]:
        """Forget what is queued of these partitions; what was. What runs goes on."""
        ...

    def written(self, places: frozenset[Place]) -> None:
        """The broker has the attempts of these records."""

    def suspend(self) -> Iterable[Place]:
        """Dispatch no careful record until `resume`; those that were marked and are not run."""
        ...

    def resume(self) -> None:
        """The assignment is known, and every partition of it restored."""

    def settle(self) -> None:
        """What was held until the assignment is known may be decided now."""


class _Listener(ConsumerRebalanceListener):
    """Posts to the owner. aiokafka swallows the exceptions of a listener."""

    def __init__(self, consumer: RequestConsumer) -> None:
        self._requests = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._requests.on_revoked(frozenset(tp.partition for tp in revoked))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._requests.on_assigned(frozenset(tp.partition for tp in assigned))


class RequestConsumer:
    """Delivers each request of the partitions that this worker owns, and commits what is complete."""

    client_id = "streamverify"
    """What the group is told of this member; `peers` puts its versions there."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        self._settings = settings
        self._worker = worker
        self._topic = settings.request_topic
        self._ledger = Ledger(self._topic)
        self._started = False
        self._closers: list[Callable[[], Awaitable[None]]] = []
        limit = (REBALANCE_TIMEOUT_MS + settings.session_timeout_ms) / 1000
        self._watchdog = Watchdog(limit, time.monotonic())
        self._consumer: AIOKafkaConsumer
        self._admin: AIOKafkaAdminClient
        self._owner: Owner
        self._retention: RetentionWatch

    # --- start and end ------------------------------------------------------------------------------------------

    async def start(self, patience: float) -> None:
        """Connect and join the group.

        Raises:
            BrokerUnavailable: No broker answered within `patience` seconds.
        """
        self._admin = await open_admin(self._settings, patience)
        self._closers.append(self._admin.close)
        self._consumer = await connect(self._make_consumer, self._settings.bootstrap_servers, patience=patience)
        self._closers.insert(0, self._consumer.stop)
        self._retention = RetentionWatch(self._consumer, self._topic)
        self._owner = Owner(self._settings, self._consumer, self._admin, self._ledger, self._worker)
        self._owner.on_commit = self._committed
        self._started = True
        self._consumer.subscribe([self._topic], listener=_Listener(self))

    def _make_consumer(self) -> AIOKafkaConsumer:
        session = self._settings.session_timeout_ms
        return AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=self._settings.group_id,
            group_instance_id=self._settings.group_instance_id,
            client_rack=self._settings.client_rack,
            # Two strategies on offer would make every member join twice.
            partition_assignment_strategy=(StickyPartitionAssignor,),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            # So soon a topic that was made anew, or has more partitions now, is noticed; the default is 5 minutes.
            metadata_max_age_ms=METADATA_AGE_MS,
            session_timeout_ms=session,
            heartbeat_interval_ms=min(3_000, session // 3),
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            request_timeout_ms=REBALANCE_TIMEOUT_MS + 10_000,
            # A worker whose proofs all take minutes still polls: only a stuck one stops.
            max_poll_interval_ms=max(300_000, session),
            client_id=self.client_id,
        )

    async def own(self) -> None:
        """Commit, and follow the rebalances, until cancelled."""
        await self._owner.run()

    async def close(self, timeout: float) -> None:
        """Leave the group. In a pending join aiokafka takes up to half a minute: not longer than `timeout` seconds."""
        closers, self._closers = self._closers, []
        for close in closers:
            # A task of its own: aiokafka's stop() may end in the CancelledError of one of its own tasks.
            closing = asyncio.ensure_future(close())
            await asyncio.wait({closing}, timeout=timeout)
            closing.cancel()
            await asyncio.wait({closing}, timeout=timeout)

    # --- polling ------------------------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Fetch and deliver until closed; paused or draining, too, or the group would give us up.

        Raises:
            WorkerStuck: Fetching fails again and again.
        """
        errors = _Errors(self._topic)
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                errors.note(error, time.monotonic())
                await asyncio.sleep(RETRY)
                continue
            except UnicodeDecodeError as error:
                raise self._unreadable(error) from error
            if batches:
                self._watchdog.succeeded(time.monotonic())
            for tp, records in batches.items():
                self._deliver(tp, records)
            self._owner.apply_pauses()

    def _unreadable(self, error: UnicodeDecodeError) -> WorkerStuck:
        """A record has a header whose name is not UTF-8, which Kafka's protocol forbids and no broker checks.

        aiokafka reads a whole batch or nothing of it, so such a record cannot be passed over alone.
        """
        positions = ", ".join(
            f"{number} from {offset}" for number, offset in self._ledger.readable_partitions().items()
        )
        return WorkerStuck(
            f"a record of {self._topic} has a Kafka header whose name is not UTF-8 ({error.reason}), in one of the "
            f"partitions {positions}: see docs/operations.md for how to pass over it"
        )

    def _deliver(self, tp: TopicPartition, records: Iterable[Record]) -> None:
        for record in records:
            admission = self._ledger.deliver(tp.partition, record.offset, _size(record))
            if admission is None:
                return
            if admission.reset:
                self._start_anew(tp.partition, record.offset)
            if admission.skipped_from is not None:
                self._retention.skipped(tp.partition, admission.skipped_from, record.offset)
            if admission.delivery is None:
                # No room: from here on once more when there is.
                self._consumer.pause(tp)
                self._consumer.seek(tp, record.offset)
                return
            self._owner.delivered(admission)
            if admission.is_new:
                self._worker.receive(record, admission)

    def _start_anew(self, partition: int, offset: int) -> None:
        """The broker reset us to below the commit point: the log is not the one that we have read."""
        dropped = self._worker.drop(frozenset({partition}))
        _log.error("log_started_anew", partition=partition, offset=offset, dropped=len(dropped))

    def drain(self) -> None:
        """Take no more records; go on polling and committing."""
        self._ledger.drain()
        self._consumer.pause(*self._consumer.assignment())
        self._owner.suspend()

    # --- what the worker has done -------------------------------------------------------------------------------

    def complete(self, place: Place) -> None:
        """The answer to the record is acknowledged by the broker; commit soon."""
        self._ledger.complete(place)
        self._owner.commit_soon()

    def forget(self, place: Place) -> None:
        """The work on the record has ended and its result is of no use to anybody."""
        self._ledger.forget(place)

    def standing(self, place: Place) -> Standing:
        """What a result for the record is worth now."""
        return self._ledger.standing(place)

    def mark(self, places: Iterable[Place]) -> None:
        """Commit, at once, that these records are about to be run; `Worker.written` tells when it is done."""
        for place in places:
            self._ledger.mark(place)
        self._owner.commit_now()

    async def finish(self) -> bool:
        """Make the last commit; whether the broker has all that is complete."""
        return await self._owner.finish()

    def _committed(self) -> None:
        self._watchdog.succeeded(time.monotonic())

    # --- what others see ----------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Records queued, running, or finished since the last acknowledged commit."""
        return self._ledger.in_flight

    @property
    def joined(self) -> bool:
        """The group has given us our share, and we know where to read it from."""
        return self._started and self._owner.settled

    @property
    def careful(self) -> int:
        """Partitions in careful mode."""
        return len(self._ledger.careful_partitions())

    @property
    def lost(self) -> int:
        """Records, at most, that retention deleted before they were read."""
        return self._retention.lost if self._started else 0

    # --- rebalances ---------------------------------------------------------------------------------------------

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """The listener's part: have the owner make its last commit, for a bounded time."""
        _log.info("partitions_revoked", partitions=sorted(partitions))
        await asyncio.wait({self._owner.revoked()}, timeout=REVOKE_TIMEOUT)

    def on_assigned(self, partitions: frozenset[int]) -> None:
        """The listener's part: hold delivery until the owner knows where to read from."""
        self._consumer.pause(*(TopicPartition(self._topic, partition) for partition in partitions))
        _log.info("partitions_assigned", partitions=sorted(partitions))
        if not partitions:
            _log.warning("no_partitions", hint=f"more workers than partitions, or the topic {self._topic} is gone")
        self._owner.assigned(partitions)

    # --- watchdog -----------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """See that what can be done is done, until cancelled.

        Raises:
            WorkerStuck: It is not.
        """
        before = Health.FINE
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self._watchdog.is_worth_asking(time.monotonic()):
                continue
            answers, due = await self._broker_answers(), await self._something_is_due()
            health = self._watchdog.judge(time.monotonic(), broker_answers=answers, something_due=due)
            if health is Health.STUCK:
                raise WorkerStuck(f"nothing was fetched from {self._topic} or committed, though the broker answers")
            if health is not before:
                _log.info("watchdog", health=health.value, broker_answers=answers, something_due=due)
            before = health

    async def _broker_answers(self) -> bool:
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                await self._admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        return True

    async def _something_is_due(self) -> bool:
        if self._ledger.commit_is_due:
            return True
        positions = self._ledger.readable_partitions()
        tps = [TopicPartition(self._topic, partition) for partition in positions]
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                ends = await self._consumer.end_offsets(tps) if tps else {}
        except (KafkaError, OSError, TimeoutError):
            return False
        return any(end > positions[tp.partition] for tp, end in ends.items())


class _Errors:
    """Counts the polls that fail for one cause, whatever succeeds for other partitions in between."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._seen: dict[str, tuple[int, float]] = {}

    def note(self, error: KafkaError, now: float) -> None:
        """A poll has failed.

        Raises:
            WorkerStuck: Once too often.
        """
        cause = repr(error)
        times, last = self._seen.get(cause, (0, now))
        times = times + 1 if now - last < FORGIVEN else 1
        self._seen = {each: seen for each, seen in self._seen.items() if now - seen[1] < FORGIVEN}
        self._seen[cause] = times, now
        _log.warning("fetch_failed", error=cause, times=times)
        if times >= MAX_POLL_ERRORS and not error.retriable:
            raise WorkerStuck(f"fetching from {self._topic} fails again and again: {cause}") from error


def _size(record: Record) -> int:
    """What a record weighs in memory, roughly: its key and its value."""
    return len(record.key or b"") + len(record.value or b"")


def plain_headers(record: Record) -> list[tuple[str, bytes | None]]:
    """A consumed record's headers as a producer wants them."""
    headers: Any = record.headers
    return [(key, value) for key, value in headers]
