"""Makes what a worker says of itself at `/status`, when it is asked for, from what its parts know anyway."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from aiohttp import web

from streamverify.bus.fencing import this_process
from streamverify.core.overview.card import Card, Versions, versions_of
from streamverify.core.overview.status import (
    MAX_ID,
    MAX_PARTITIONS,
    MAX_SLOTS,
    STATUS_VERSION,
    Answered,
    OldestProof,
    PartitionStatus,
    Recent,
    SlotStatus,
    WorkerStatus,
    cut,
)
from streamverify.lean.repl.usage import private
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamverify.bus.consumer import RequestConsumer
    from streamverify.core.activity import Done
    from streamverify.core.delivery.partitions import Partitions
    from streamverify.core.job import Job
    from streamverify.core.messages.models import Verifier
    from streamverify.lean.occupancy import SlotLook
    from streamverify.lean.pool import Pool
    from streamverify.settings import Settings
    from streamverify.worker.condition import WorkerCondition
    from streamverify.worker.ports import JobRunner
    from streamverify.worker.service import Service
    from streamverify.worker.tiers import Tiers

# A worker may have more slots than a status lists: those that work longest say most.
_WORKS = {"running": 0, "importing": 1, "idle": 2, "empty": 3}


class StatusReport:
    """Makes the status of one worker."""

    def __init__(  # noqa: PLR0913 - what it tells of
        self,
        settings: Settings,
        *,
        name: str,
        verifier: Verifier,
        condition: Callable[[], WorkerCondition],
        pool: Pool,
        runner: JobRunner,
        slots: int,
        service: Service,
        partitions: Partitions,
        consumer: RequestConsumer,
        tiers: Tiers,
    ) -> None:
        """`runner` is the pool, or the cache before it; `slots` the proofs that run at once."""
        self._settings = settings
        self._name = cut(name)
        self._versions: Versions = versions_of(__version__, verifier)
        self._sandbox = verifier.sandbox
        self._condition = condition
        self._pool = pool
        self._runner = runner
        self._slots = slots
        self._service = service
        self._partitions = partitions
        self._consumer = consumer
        self._tiers = tiers
        self._url: str | None = None

    def listens_at(self, url: str | None) -> None:
        """Note the address that the group is told: it is known when the server, which has these pages, listens."""
        self._url = url

    def card(self) -> Card:
        """Return what the group is told of this worker."""
        return Card(name=self._name, url=self._url, versions=self._versions)

    async def answer(self, _request: web.Request) -> web.Response:
        """Answer `GET /status`."""
        return web.Response(
            text=self.make(time.monotonic(), time.time()).model_dump_json(), content_type="application/json"
        )

    def make(self, now: float, clock: float) -> WorkerStatus:
        """Make the status; `now` in monotonic seconds, `clock` in seconds since 1970."""
        condition, settings = self._condition(), self._settings
        looks = sorted(
            self._pool.occupancy.look(now), key=lambda look: (_WORKS[look.state], -(look.seconds or 0.0), look.slot)
        )
        so_far, recent = self._service.answers.activity.so_far(now), self._service.answers.activity.recent(now)
        numbers = sorted(self._partitions.restored())
        return WorkerStatus(
            schema_version=STATUS_VERSION,
            process="worker",
            name=self._name,
            host=cut(this_process()),
            url=self._url,
            brokers=cut(settings.bootstrap_servers),
            group=settings.group_id,
            topic=settings.request_topic,
            versions=self._versions,
            sandbox=cut(self._sandbox),
            state=condition.state,
            ready=condition.ready,
            problem=None if condition.problem is None else cut(condition.problem),
            uptime_seconds=so_far.seconds,
            memory_bytes=private(os.getpid()),
            slot_count=self._slots,
            slots=[_slot(look) for look in looks[:MAX_SLOTS]],
            slots_left_out=max(0, len(looks) - MAX_SLOTS),
            queued=self._runner.queued + self._service.quarantine.waiting,
            running=self._pool.running,
            in_flight=self._partitions.flow.in_flight,
            replays_queued=self._tiers.queued,
            replays_running=self._tiers.running,
            partitions=self._of_partitions(numbers[:MAX_PARTITIONS]),
            partitions_left_out=max(0, len(numbers) - MAX_PARTITIONS),
            answered=Answered(**_counts(so_far)),
            reasons=so_far.by_reason(),
            recent=Recent(seconds=recent.seconds, **_counts(recent)),
            oldest=_oldest(self._service.oldest, now, clock),
            lost_by_retention=self._consumer.lost,
        )

    def _of_partitions(self, numbers: Sequence[int]) -> list[PartitionStatus]:
        readable, positions = self._partitions.readable(), self._partitions.readable(paused=True)
        quarantined = self._partitions.quarantined()
        said = []
        for number in numbers:
            end, in_flight = self._consumer.known_end(number), self._partitions.flow.in_flight_of(number)
            said.append(
                PartitionStatus(
                    partition=number,
                    position=positions[number],
                    in_flight=in_flight,
                    lag=None if end is None else in_flight + max(0, end - positions[number]),
                    paused=number not in readable,
                    quarantined=number in quarantined,
                )
            )
        return said


def _slot(look: SlotLook) -> SlotStatus:
    return SlotStatus(
        slot=look.slot,
        state=look.state,
        header=None if look.header is None else cut(look.header.canonical.strip()),
        age_seconds=look.seconds,
        custom_id=None if look.job is None else cut(look.job.request.custom_id, MAX_ID),
        memory_bytes=look.memory,
        uses=look.uses,
    )


def _counts(done: Done) -> dict[str, float]:
    return {
        **done.by_status(),
        "cached": done.cached,
        "dead_letters": done.dead_letters,
        "busy_seconds": max(0.0, done.busy_seconds),
    }


def _oldest(job: Job | None, now: float, clock: float) -> OldestProof | None:
    if job is None:
        return None
    record = job.record
    here = max(0.0, now - record.received)
    sent = record.source.timestamp
    # A producer may write any time, or none; and its clock need not be ours.
    age = clock - sent / 1000 if sent is not None and sent > 0 else here
    return OldestProof(
        custom_id=cut(job.request.custom_id, MAX_ID),
        partition=record.id.partition,
        offset=record.id.offset,
        age_seconds=max(here, age),
        here_seconds=here,
    )
