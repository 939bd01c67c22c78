"""The owner of the commits: one task that commits, ends assignments, begins them and restores their partitions.

Whoever wants something of it posts a message; so nothing of it happens between `revoked` and `assigned`, and one
commit at a time is on its way. What to commit is decided by the `Ledger`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.bus.offsets import committed_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.consumer import Worker
    from streamverify.core.ledger import Admission, Commit, Committed, Ledger
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

COMMIT_INTERVAL = 0.1
"""Seconds between two commits at least, but for those that a careful dispatch waits for."""
COMMIT_TIMEOUT = 2.0
"""Seconds that one commit may take; two of them fit into the time that the group is kept waiting at a revoke."""
READ_TIMEOUT = 10.0
RETRY = 1.0
"""Seconds until something that failed is tried again."""


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
    """Something has changed, and the last commit is long enough ago or may not be waited for."""


@dataclass(frozen=True, slots=True)
class _Finish:
    """Nothing runs any more: make the last commit. `done` gets whether the broker has all of it."""

    done: asyncio.Future[bool]


class Owner:
    """Commits, and follows the rebalances."""

    def __init__(
        self,
        settings: Settings,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        ledger: Ledger,
        worker: Worker,
    ) -> None:
        self.on_commit: Callable[[], None] = lambda: None
        """Called when the broker has acknowledged a commit."""
        self.settled = False
        """The assignment is known, and where to read each partition from."""
        self._group = settings.group_id
        self._topic = settings.request_topic
        self._consumer = consumer
        self._admin = admin
        self._ledger = ledger
        self._worker = worker
        self._inbox: asyncio.Queue[_Assigned | _Revoked | _CommitDue | _Finish] = asyncio.Queue()
        self._restoring: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._urgent = False
        self._last_commit = 0.0
        self._suspended = False

    # --- messages -----------------------------------------------------------------------------------------------

    def revoked(self) -> asyncio.Future[None]:
        """The group takes all partitions back. The future is done when the last commit is made, or has failed."""
        self.settled = False
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(_Revoked(done))
        return done

    def assigned(self, partitions: frozenset[int]) -> None:
        """The group has given us these partitions. They are paused."""
        self._inbox.put_nowait(_Assigned(partitions))

    def commit_soon(self) -> None:
        """Something was completed: commit when the last commit is long enough ago."""
        if self._timer is None and not self._urgent:
            self._commit_in(max(0.0, self._last_commit + COMMIT_INTERVAL - time.monotonic()))

    def commit_now(self) -> None:
        """A dispatch waits for the commit."""
        if not self._urgent:
            self._urgent = True
            self._inbox.put_nowait(_CommitDue())

    def delivered(self, admission: Admission) -> None:
        """A delivery that needs no work moves the commit point by itself."""
        if not admission.is_new:
            self.commit_soon()

    async def finish(self) -> bool:
        """Make the last commit of this worker's life; False: not yet, or the broker did not take it."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(_Finish(done))
        return await done

    def suspend(self) -> None:
        """Dispatch no careful record any more."""
        self._suspended = True
        self._suspend()

    def _suspend(self) -> None:
        for place in self._worker.suspend():
            self._ledger.unmark(place)

    def _commit_in(self, delay: float) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(delay, self._inbox.put_nowait, _CommitDue())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- the task -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do what is asked, until cancelled."""
        try:
            while True:
                await self._handle(await self._inbox.get())
        finally:
            self._cancel_timer()
            self._stop_restoring()

    async def _handle(self, message: _Assigned | _Revoked | _CommitDue | _Finish) -> None:
        match message:
            case _CommitDue():
                await self._commit_due()
            case _Revoked(done):
                await self._end_assignment()
                if not done.done():
                    done.set_result(None)
            case _Assigned(partitions):
                self._begin_assignment(partitions)
            case _Finish(done):
                done.set_result(await self._finish())

    async def _commit_due(self) -> None:
        self._cancel_timer()
        self._urgent = False
        if not await self._commit():
            self._commit_in(RETRY)
        elif self._ledger.commit_is_due:
            self.commit_soon()

    async def _commit(self, *, closing: bool = False) -> bool:
        """Commit what has changed; False where the broker did not take it."""
        commit = self._ledger.commit(closing=closing)
        if commit is None:
            return True
        self._last_commit = time.monotonic()
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._send(commit)
        except (KafkaError, TimeoutError) as error:
            self._ledger.failed(commit)
            _log.warning("commit_failed", error=repr(error), closing=closing)
            return False
        self._ledger.acknowledged(commit)
        self.on_commit()
        if commit.marked:
            self._worker.written(commit.marked)
        self.apply_pauses()
        return True

    async def _send(self, commit: Commit) -> None:
        if _has_no_generation(self._consumer):
            raise KafkaError("the group has given this member up; nothing may be committed until it has joined again")
        points: Any = {
            TopicPartition(self._topic, partition): (point.offset, point.metadata)
            for partition, point in commit.points.items()
        }
        await self._consumer.commit(points)

    async def _finish(self) -> bool:
        """The last commit. What is finished and belongs to a partition that may yet be ours has to wait."""
        if self._ledger.in_flight and not self.settled:
            return False
        if not await self._commit(closing=True):
            return False
        self._ledger.revoke()
        return True

    def apply_pauses(self) -> None:
        """Pause and resume as the ledger says."""
        pauses = self._ledger.pauses()
        if not (pauses.pause or pauses.resume):
            return
        # A rebalance that the owner has not heard of yet may have taken some: aiokafka refuses to pause those.
        assigned = self._consumer.assignment()
        self._consumer.pause(*(tp for tp in self._tps(pauses.pause) if tp in assigned))
        self._consumer.resume(*(tp for tp in self._tps(pauses.resume) if tp in assigned))

    def _tps(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    # --- rebalances ---------------------------------------------------------------------------------------------

    async def _end_assignment(self) -> None:
        """Make the last commit. None follows until the next assignment is restored; what runs goes on."""
        self._stop_restoring()
        self._suspend()
        await self._commit(closing=True)
        self._ledger.revoke()

    def _stop_restoring(self) -> None:
        if self._restoring:
            self._restoring.cancel()

    def _begin_assignment(self, partitions: frozenset[int]) -> None:
        self._stop_restoring()
        self._drop(self._ledger.assign(partitions))
        self._worker.settle()
        self._restoring = asyncio.create_task(self._restore(partitions))

    def _drop(self, partitions: frozenset[int]) -> None:
        dropped = self._worker.drop(partitions) if partitions else []
        for place in dropped:
            self._ledger.forget(place)
        if dropped:
            _log.info("queued_jobs_dropped", partitions=sorted(partitions), jobs=len(dropped))

    async def _restore(self, partitions: frozenset[int]) -> None:
        """Read where the group stands, seek there, commit that we are there, resume; until then all stays paused."""
        while left := partitions - self._ledger.restored_partitions():
            try:
                await self._restore_some(left)
            except (KafkaError, OSError, TimeoutError, AttributeError) as error:
                # aiokafka's admin client trips over the attribute of an error that the broker names for a partition.
                _log.warning("restore_failed", partitions=sorted(left), error=repr(error), retry_seconds=RETRY)
                await asyncio.sleep(RETRY)
        self.settled = True
        if not self._suspended:
            self._worker.resume()
        self._worker.settle()
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
        restored = {}
        for partition, point in read.items():
            found = self._ledger.restore(partition, point, beginnings.get(partition, 0))
            restored[partition] = found.position
            self._consumer.seek(TopicPartition(self._topic, partition), found.position)
            if not found.kept:
                self._drop(frozenset({partition}))
            if found.unreadable:
                _log.error("offset_map_ignored", partition=partition, cause=found.unreadable, hint="repeats, no loss")
            if found.set_back:
                _log.warning("group_set_back", partition=partition, offset=found.position)
            if found.careful:
                _log.warning("careful_mode", partition=partition, hint="a worker died at this partition")
        if restored:
            _log.info("partitions_restored", starts=dict(sorted(restored.items())))
            self.commit_now()


def _has_no_generation(consumer: AIOKafkaConsumer) -> bool:
    """Whether the group has given us up.

    aiokafka then commits without a generation, which a broker takes from a member of nobody's group: where another
    worker has come and gone meanwhile, that would set the group back.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - aiokafka does not tell otherwise
    return coordinator is None or coordinator.generation < 0
