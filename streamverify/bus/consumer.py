"""The worker's side of the consumer group: it polls, delivers, pauses, and hears of rebalances.

One task polls and one, the `OffsetCommitter`'s, commits and follows the rebalances; nobody else does either. Beside
them the watchdog looks whether both get on, and a named worker whether its name is its own. The rebalance listener
only posts to the committer. What to admit, commit and pause is decided by the pure
`core.delivery.partitions.Partitions`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from streamverify.bus.admin import open_admin
from streamverify.bus.committer import OffsetCommitter
from streamverify.bus.connection import client_options, connect
from streamverify.bus.consumer_counts import ConsumerCounts
from streamverify.bus.fencing import Fence, SignedStickyAssignor, signed
from streamverify.bus.liveness import Liveness
from streamverify.bus.retention import RetentionWatch
from streamverify.core.delivery.offset_tracker import Delivery
from streamverify.core.errors import WorkerStuck
from streamverify.core.job import Record
from streamverify.core.messages.models import Source
from streamverify.core.topic_plans import request_record_bytes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.commit_requests import CommitRequests
    from streamverify.bus.ports import RecordHandler
    from streamverify.core.delivery.partition_state import AdmissionOutcome
    from streamverify.core.delivery.partitions import Partitions
    from streamverify.settings import Settings

    KafkaRecord = ConsumerRecord[bytes | None, bytes | None]

_log = structlog.get_logger(__name__)

POLL_MS = 200
"""Milliseconds that one poll waits for records."""
METADATA_AGE_MS = 5_000
"""Milliseconds after which a topic that was deleted and made anew, or has more partitions now, is noticed."""
FETCH_WAIT_MS = 100
"""Milliseconds that a broker may hold a fetch that finds nothing. Kafka answers as soon as a record comes; the embedded
broker only when the time is over, so that a proof waits for it there."""
POLL_RECORDS = 20
"""Records taken in one go, some 2 ms: more would hold up the event loop, and with it the answers of the REPLs."""
REVOKE_TIMEOUT = 5.0
"""Seconds that the group is kept waiting for the last commit."""
RETRY = 1.0
"""Seconds between a failed poll and the next."""
MAX_POLL_ERRORS = 5
"""Number of times that one fetch error may repeat, each within ERROR_WINDOW of the last, before the worker exits."""
ASK_TIMEOUT = 5.0
ERROR_WINDOW = 30.0
"""Seconds after which a fetch error counts as forgotten."""
REBALANCE_TIMEOUT_MS = 60_000


class _Listener(ConsumerRebalanceListener):
    """Posts to the committer and returns. aiokafka swallows the exceptions of a listener."""

    def __init__(
        self, topic: str, consumer: AIOKafkaConsumer, requests: CommitRequests, fence: Fence | None = None
    ) -> None:
        self._topic = topic
        self._consumer = consumer
        self._requests = requests
        self._fence = fence

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Have the last commit made, for a bounded time: the group waits for us."""
        if self._fence is not None and not await self._fence.may_rejoin():
            # Ends aiokafka's task that would join again and take the name back. It lets this one exception through.
            raise asyncio.CancelledError
        _log.info("partitions_revoked", partitions=sorted(tp.partition for tp in revoked))
        await asyncio.wait({self._requests.revoked()}, timeout=REVOKE_TIMEOUT)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Pause what we got until the committer knows where to read from."""
        tps = list(assigned)
        self._consumer.pause(*tps)
        if self._fence is not None:
            self._fence.joined()
        partitions = frozenset(tp.partition for tp in tps)
        _log.info("partitions_assigned", partitions=sorted(partitions))
        if not partitions:
            _log.warning(
                "no_partitions",
                hint=f"there are more workers than partitions, or the topic {self._topic} is gone: add partitions, or "
                "stop this worker (docs/operations.md)",
            )
        self._requests.assigned(partitions)


class RequestConsumer:
    """Delivers each request of the partitions that this worker owns, and commits what is complete.

    MADE ── start ──> MEMBER: polls, delivers, commits; what of that each partition allows is in `Partitions`
    MEMBER ── drain ──> DRAINING: polls and commits, and delivers nothing more
    MEMBER, DRAINING ── close ──> CLOSED: has left the group
    """

    def __init__(
        self,
        settings: Settings,
        partitions: Partitions,
        requests: CommitRequests,
        *,
        client_id: str = "streamverify",
        counts: ConsumerCounts | None = None,
    ) -> None:
        """`client_id` is what the group is told of this member (`core.overview.card`); `counts` are kept up to date."""
        self._settings = settings
        self._topic = settings.request_topic
        self._client_id = client_id
        self._partitions = partitions
        self._requests = requests
        limit = (REBALANCE_TIMEOUT_MS + settings.session_timeout_ms) / 1000
        self.liveness = Liveness(settings, partitions, limit)
        self.counts = counts or ConsumerCounts()
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._retention: RetentionWatch | None = None
        self._fence: Fence | None = None
        self._assignor: type[SignedStickyAssignor] = SignedStickyAssignor
        # Made by `start`:
        self._handler: RecordHandler
        self._consumer: AIOKafkaConsumer
        self._admin: AIOKafkaAdminClient
        self._committer: OffsetCommitter

    async def start(self, handler: RecordHandler, broker_timeout: float, card: bytes = b"") -> None:
        """Connect and join the group.

        Args:
            handler: It gets the records, once `run` runs.
            broker_timeout: Seconds for reaching a broker.
            card: What the group is told of this worker besides.

        Raises:
            BrokerUnavailable: No broker answered within `broker_timeout` seconds.
        """
        settings = self._settings
        self._assignor = signed(card)
        # Before the consumer: offsets are restored through it as soon as the group has assigned partitions.
        self._admin = await open_admin(settings, broker_timeout)
        self._closers.append(self._admin.close)
        self._consumer = await connect(self._make_consumer, settings.bootstrap_servers, broker_timeout=broker_timeout)
        # Closed first: to leave the group it needs nothing of the admin client.
        self._closers.insert(0, self._consumer.stop)
        self._retention = RetentionWatch(self._consumer, self._topic)
        self._handler = handler
        self._committer = OffsetCommitter(
            settings,
            self._consumer,
            self._admin,
            partitions=self._partitions,
            requests=self._requests,
            handler=handler,
            liveness=self.liveness,
            counts=self.counts,
        )
        if settings.group_instance_id is not None:
            self._fence = Fence(settings.group_id, settings.group_instance_id, self._consumer, self._admin)
            await self._fence.announce()
        listener = _Listener(self._topic, self._consumer, self._requests, self._fence)
        self._consumer.subscribe([self._topic], listener=listener)

    def _make_consumer(self) -> AIOKafkaConsumer:
        session = self._settings.session_timeout_ms
        return AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=self._settings.group_id,
            group_instance_id=self._settings.group_instance_id,
            client_rack=self._settings.client_rack,
            # Two strategies on offer would make every member join twice.
            partition_assignment_strategy=(self._assignor,),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            # A broker gives a larger record, too, but then one at a time.
            max_partition_fetch_bytes=request_record_bytes(self._settings.max_proof_bytes),
            metadata_max_age_ms=METADATA_AGE_MS,
            session_timeout_ms=session,
            heartbeat_interval_ms=min(3_000, session // 3),
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            request_timeout_ms=REBALANCE_TIMEOUT_MS + 10_000,
            # A worker whose proofs all take minutes still polls: only a stuck one stops.
            max_poll_interval_ms=max(300_000, session),
            client_id=self._client_id,
        )

    async def run(self) -> None:
        """Poll, commit and watch, until cancelled.

        Raises:
            WorkerStuck: Fetching fails again and again, or nothing succeeds although something could.
            WorkerFenced: Another worker has taken this one's name.
        """
        async with asyncio.TaskGroup() as group:
            if self._fence is not None:
                group.create_task(self._fence.watch(), name="fence")
            group.create_task(self.poll(), name="poll")
            group.create_task(self._committer.run(), name="commit")
            group.create_task(self.liveness.watch(self._consumer, self._admin), name="watch")

    async def close(self, timeout: float) -> None:
        """Leave the group. In a pending join aiokafka takes up to half a minute: not longer than `timeout` seconds."""
        closers, self._closers = self._closers, []
        for close in closers:
            # A task of its own: aiokafka's stop() may end in the CancelledError of one of its own tasks.
            closing = asyncio.ensure_future(close())
            await asyncio.wait({closing}, timeout=timeout)
            closing.cancel()
            await asyncio.wait({closing}, timeout=timeout)

    async def poll(self) -> None:
        """Fetch and deliver until closed; paused or draining, too, or the group would give us up.

        Raises:
            WorkerStuck: Fetching fails again and again.
            WorkerFenced: Another worker has taken this one's name while we were joining.
        """
        errors = _Errors(self._topic)
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                if self._fence is not None:
                    await self._fence.refuse(error)
                errors.note(error, time.monotonic())
                await asyncio.sleep(RETRY)
                continue
            except UnicodeDecodeError as error:
                # A record has a header whose name is not UTF-8, which Kafka's protocol forbids and no broker checks.
                # aiokafka reads a whole batch or nothing of it, so such a record cannot be passed over alone.
                readable = self._partitions.readable().items()
                raise WorkerStuck(
                    f"a record of {self._topic} has a Kafka header whose name is not UTF-8 ({error.reason}), in one "
                    f"of the partitions {', '.join(f'{number} from {offset}' for number, offset in readable)}: see "
                    "docs/operations.md for how to pass over it"
                ) from error
            # Only records count: an empty poll is what aiokafka returns without a broker, too.
            if batches:
                self.liveness.succeeded()
            for tp, records in batches.items():
                self._deliver(tp, records)
            self._committer.apply_pauses()
            # aiokafka returns what it has fetched without ever yielding: thousands of records, and the REPLs idle.
            await asyncio.sleep(0)

    def _deliver(self, tp: TopicPartition, records: Iterable[KafkaRecord]) -> None:
        for record in records:
            # What it weighs in memory, roughly: its key and its value.
            size = len(record.key or b"") + len(record.value or b"")
            admission = self._partitions.deliver(tp.partition, record.offset, size)
            if admission is None:
                # A rebalance took the partition while these records were on their way: so the rest is not ours, either.
                return
            if admission.regressed_from is not None:
                _log.error(
                    "offset_regressed",
                    partition=tp.partition,
                    expected=admission.regressed_from,
                    got=record.offset,
                    hint="the topic was recreated, or a broker without the newest records became leader (unclean "
                    "election); its records are run as new ones",
                )
                # What is queued came from the old log, and nobody can say any more at which offsets it lies.
                self._handler.drop(frozenset({tp.partition}))
            if admission.skipped_from is not None and self._retention is not None:
                self._retention.skipped(tp.partition, admission.skipped_from, record.offset)
            if admission.delivery is None:
                # No room: read on from here when there is.
                self._consumer.pause(tp)
                self._consumer.seek(tp, record.offset)
                return
            if admission.is_new:
                self._handler.receive(_plain(record, admission))
            else:
                self.counts.adopted += admission.delivery is Delivery.RUNNING
                # A delivery that needs no work moves the commit point by itself.
                self._requests.commit_soon()

    def drain(self) -> None:
        """Take no more records; go on polling and committing."""
        self._partitions.flow.drain()
        self._consumer.pause(*self._consumer.assignment())
        # The pool starts nothing any more: no attempt of a quarantined record is to be committed for it.
        self._handler.pause()

    async def ends(self) -> dict[int, int] | None:
        """Return the end of each of our partitions, one past its last record; None if the brokers do not say."""
        tps = [TopicPartition(self._topic, partition) for partition in self._partitions.restored()]
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                ends: dict[TopicPartition, int] = await self._consumer.end_offsets(tps) if tps else {}
        except (KafkaError, OSError, TimeoutError):
            return None
        return {tp.partition: end for tp, end in ends.items()}

    async def unread(self) -> int | None:
        """Count the records of our partitions that were not fetched yet; None if the brokers do not say."""
        ends = await self.ends()
        if ends is None:
            return None
        positions = self._partitions.readable(paused=True)
        return sum(max(0, end - positions.get(partition, end)) for partition, end in ends.items())

    def known_end(self, partition: int) -> int | None:
        """Return the end of one of our partitions by the last fetch from it, None before that. No broker is asked."""
        tp = TopicPartition(self._topic, partition)
        if tp not in self._consumer.assignment():
            return None
        end: int | None = self._consumer.highwater(tp)
        return end

    @property
    def lost(self) -> int:
        """Records, at most, that retention deleted before they were read."""
        return 0 if self._retention is None else self._retention.lost


class _Errors:
    """Counts the polls that fail for one cause, whatever succeeds for other partitions in between."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._seen: dict[str, tuple[int, float]] = {}

    def note(self, error: KafkaError, now: float) -> None:
        """A poll has failed.

        Raises:
            WorkerStuck: It has failed once too often, and the error is not one that passes by itself.
        """
        cause = repr(error)
        times, last = self._seen.get(cause, (0, now))
        times = times + 1 if now - last < ERROR_WINDOW else 1
        # Whatever is older is forgotten, so that errors with ever new texts do not pile up.
        self._seen = {each: seen for each, seen in self._seen.items() if now - seen[1] < ERROR_WINDOW}
        self._seen[cause] = times, now
        _log.warning(
            "fetch_failed",
            error=cause,
            times=times,
            hint="it is tried again, and there is nothing to do unless this goes on"
            if error.retriable
            else f"the error says what the broker refuses; the worker exits when this happens {MAX_POLL_ERRORS} times",
        )
        # What passes by itself (a leader election, a broker that restarts) may take as long as it likes.
        if times >= MAX_POLL_ERRORS and not error.retriable:
            raise WorkerStuck(f"fetching from {self._topic} fails again and again: {cause}") from error


def _plain(kafka_record: KafkaRecord, admission: AdmissionOutcome) -> Record:
    """The record without aiokafka's types."""
    kafka_headers: Any = kafka_record.headers
    return Record(
        id=admission.id,
        source=Source(
            topic=kafka_record.topic,
            partition=kafka_record.partition,
            offset=kafka_record.offset,
            timestamp=kafka_record.timestamp,
        ),
        key=kafka_record.key,
        value=kafka_record.value,
        kafka_headers=[(name, value) for name, value in kafka_headers],
        received=time.monotonic(),
        worker_deaths=admission.worker_deaths,
        quarantined=admission.quarantined,
    )
