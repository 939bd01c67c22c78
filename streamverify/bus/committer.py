"""The only one to commit: a task that commits, ends assignments, begins them and restores their partitions.

It is an actor: everybody else posts to its inbox, `CommitRequests`, and it handles one message after the other. So one
commit at a time is on its way, and nothing is committed between `revoked` and `assigned`. What to commit is decided by
`core.delivery.partitions.Partitions`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from streamverify.bus.commit_requests import Assigned, CommitDue, Finish, Revoked
from streamverify.bus.committed import committed_offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.commit_requests import CommitRequests
    from streamverify.bus.consumer_counts import ConsumerCounts
    from streamverify.bus.liveness import Liveness
    from streamverify.bus.ports import RecordHandler
    from streamverify.core.delivery.commits import Committed
    from streamverify.core.delivery.partitions import Commit, Partitions
    from streamverify.settings import Settings

T = TypeVar("T")

_log = structlog.get_logger(__name__)

COMMIT_TIMEOUT = 2.0
"""Seconds that one commit may take; two of them fit into the time that the group is kept waiting at a revoke."""
READ_TIMEOUT = 10.0
FAILURES = 5
"""Commits in a row that fail before it is worth a line in the log."""
RETRY = 1.0
"""Seconds between a failure and the next try."""


def _answer(done: asyncio.Future[T], value: T) -> None:
    """Tell who asked, unless he has given up: the drain's time was over, or a second signal came."""
    if not done.done():
        done.set_result(value)


class OffsetCommitter:
    """Commits, and follows the rebalances.

    REVOKED ── Assigned ──> RESTORING ── each partition has its position ──> RESTORED; the open flag: the next commit
    RESTORING, RESTORED ── Revoked, Finish: the last commit, whether the broker takes it or not ──> REVOKED
    RESTORING ── Assigned: the restore under way is cancelled, another begins ──> RESTORING
    `Partitions` has the state of each partition; a task that restores runs here in RESTORING only.
    """

    def __init__(  # noqa: PLR0913 - the parts that it stands between
        self,
        settings: Settings,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        *,
        partitions: Partitions,
        requests: CommitRequests,
        handler: RecordHandler,
        liveness: Liveness,
        counts: ConsumerCounts,
    ) -> None:
        """`liveness` hears of each commit that the broker has acknowledged, `counts` of every one."""
        self._group = settings.group_id
        self._topic = settings.request_topic
        self._consumer = consumer
        self._admin = admin
        self._partitions = partitions
        self._requests = requests
        self._handler = handler
        self._liveness = liveness
        self._counts = counts
        self._failures = 0
        """Commits in a row that have failed."""
        self._restoring: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Handle one message after the other, until cancelled."""
        try:
            while True:
                match await self._requests.next():
                    case CommitDue():
                        if not await self._commit():
                            self._requests.commit_in(RETRY)
                        elif self._partitions.commit_is_due:
                            # Something was completed while the commit was on its way.
                            self._requests.commit_soon()
                    case Revoked(done):
                        # Make the last commit. None follows until the next assignment is restored; what runs goes on.
                        self._stop_restoring()
                        self._handler.pause()
                        await self._commit(closing=True)
                        self._partitions.revoke()
                        _answer(done, None)
                    case Assigned(partitions):
                        self._counts.rebalances += 1
                        self._stop_restoring()
                        if lost := self._partitions.assign(partitions):
                            self._handler.drop(lost)
                        self._handler.assignment_known()
                        # Beside the inbox: a read that takes long must not hold up the next revoke.
                        self._restoring = asyncio.create_task(self._restore(partitions))
                    case Finish(done):
                        _answer(done, await self._finish())
        finally:
            self._requests.cancel_timer()
            self._stop_restoring()

    # --- commits ------------------------------------------------------------------------------------------------

    async def _commit(self, *, closing: bool = False) -> bool:
        """Commit what has changed.

        Returns:
            False if the broker did not take it.
        """
        # Decided at the last moment, so that whatever has completed until now is in it.
        commit = self._partitions.commit(closing=closing)
        if commit is None:
            return True
        self._requests.commit_begins()
        begun = time.monotonic()
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._send(commit)
        except CommitFailedError as error:
            # The group rebalances or has given us up: a rebalance follows, and is logged.
            self._partitions.failed(commit)
            self._counts.commit_failures += 1
            _log.debug("commit_refused", error=repr(error), closing=closing)
            return False
        except (KafkaError, TimeoutError) as error:
            self._partitions.failed(commit)
            self._counts.commit_failures += 1
            self._failures += 1
            # One that fails is tried again and needs nobody; where no broker answers, `liveness` has said so.
            if self._failures == FAILURES and self._liveness.brokers.outage is None:
                hint = "tried again until it succeeds; nothing is lost; logged once until then"
                _log.warning("commit_failed", error=repr(error), times=self._failures, hint=hint)
            else:
                _log.debug("commit_failed", error=repr(error), times=self._failures)
            return False
        # Whatever failed before is in this commit: a commit says how far a partition is, not what was added.
        self._failures = 0
        self._counts.commits += 1
        if self._counts.on_commit is not None:
            self._counts.on_commit(time.monotonic() - begun)
        self._partitions.acknowledged(commit)
        self._liveness.succeeded()
        # Finished records no longer count as in flight, so there may be room; first those that wait for this commit.
        if commit.attempts:
            self._handler.attempts_committed(commit.attempts)
        self.apply_pauses()
        return True

    async def _send(self, commit: Commit) -> None:
        if _has_no_generation(self._consumer):
            raise CommitFailedError(
                "the group has given this member up; nothing may be committed until it has joined again"
            )
        points: Any = {
            TopicPartition(self._topic, partition): (point.offset, point.metadata)
            for partition, point in commit.points.items()
        }
        await self._consumer.commit(points)

    async def _finish(self) -> bool:
        """Make the last commit. What is finished and belongs to a partition that may yet be ours has to wait."""
        if self._partitions.flow.in_flight and not self._partitions.are_restored:
            return False
        # `closing` takes the open flag back: the next owner need not put these partitions into quarantine.
        if not await self._commit(closing=True):
            return False
        self._partitions.revoke()
        return True

    def apply_pauses(self) -> None:
        """Pause and resume as the limits say."""
        pauses = self._partitions.flow.pauses()
        if not (pauses.pause or pauses.resume):
            return
        # A rebalance that we have not been told of yet may have taken some: aiokafka refuses to pause those.
        assigned = self._consumer.assignment()
        self._consumer.pause(*(tp for tp in self._tps(pauses.pause) if tp in assigned))
        self._consumer.resume(*(tp for tp in self._tps(pauses.resume) if tp in assigned))

    def _tps(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    # --- rebalances ---------------------------------------------------------------------------------------------

    def _stop_restoring(self) -> None:
        if self._restoring:
            self._restoring.cancel()

    async def _restore(self, partitions: frozenset[int]) -> None:
        """Read where the group stands, seek there, commit that we are there, resume; until then all stays paused."""
        # Without a limit: these partitions are ours, and nobody else can read them meanwhile.
        failed = False
        while left := partitions - self._partitions.restored():
            try:
                await self._restore_some(left)
            except (KafkaError, OSError, TimeoutError) as error:
                if not failed and self._liveness.brokers.outage is None:
                    failed = True
                    _log.warning(
                        "restore_failed",
                        partitions=sorted(left),
                        error=repr(error),
                        retry_seconds=RETRY,
                        hint="these partitions stay paused until the group's offsets can be read: it is tried again; "
                        "if this goes on, may this user read the group?",
                    )
                await asyncio.sleep(RETRY)
        # A worker that drains starts nothing any more: its quarantine stays paused.
        if not self._partitions.flow.is_draining:
            self._handler.resume()
        self._handler.assignment_known()
        self.apply_pauses()

    async def _restore_some(self, partitions: frozenset[int]) -> None:
        """Restore these partitions, or at least those of which the group has a commit."""
        async with asyncio.timeout(READ_TIMEOUT):
            read = await committed_offsets(self._admin, self._group, self._topic, partitions)
        known = {partition: point for partition, point in read.items() if point is not None}
        # One without a leader must not hold up those for which the leader need not be asked.
        self._take_over(known, {})
        new = partitions - known.keys()
        if new:
            async with asyncio.timeout(READ_TIMEOUT):
                beginnings = await self._consumer.beginning_offsets(self._tps(new))
            self._take_over(dict.fromkeys(new), {tp.partition: offset for tp, offset in beginnings.items()})

    def _take_over(self, read: Mapping[int, Committed | None], beginnings: Mapping[int, int]) -> None:
        starts = {}
        quarantined = []
        for partition, point in read.items():
            found = self._partitions.restore(partition, point, beginnings.get(partition, 0))
            starts[partition] = found.position
            self._consumer.seek(TopicPartition(self._topic, partition), found.position)
            if not found.kept:
                # Their offsets are read again from here on: to keep them queued would run them twice.
                self._handler.drop(frozenset({partition}))
            if found.unreadable:
                _log.error(
                    "offset_map_ignored",
                    partition=partition,
                    cause=found.unreadable,
                    hint="the commit's metadata was written by another tool or a newer version (docs/upgrades.md): "
                    "finished records may be repeated, none is lost",
                )
            if found.regressed_from is not None:
                _log.warning(
                    "committed_offset_regressed",
                    partition=partition,
                    expected=found.regressed_from,
                    got=found.position,
                    hint="the group's offsets were reset by a tool, or the topic was recreated; "
                    "everything from there on is run again",
                )
            if found.quarantined:
                quarantined.append(partition)
        if quarantined:
            _log.warning(
                "partitions_quarantined",
                partitions=sorted(quarantined),
                hint="the worker that owned them before died, or lost its name to another, with work in hand: each of "
                "the next records is run only after a commit counts its attempt, and suspects are run alone",
            )
        if starts:
            _log.info("partitions_restored", starts=dict(sorted(starts.items())))
            # The open flag has to be with the broker before anything is delivered.
            self._requests.commit_now()


def _has_no_generation(consumer: AIOKafkaConsumer) -> bool:
    """Tell whether the group has given us up.

    aiokafka then commits without a generation, which a broker takes from a member of nobody's group: where another
    worker has come and gone meanwhile, that would set the group back.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - aiokafka does not tell otherwise
    return coordinator is None or coordinator.generation < 0
