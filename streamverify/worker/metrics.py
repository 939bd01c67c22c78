"""The metrics of a worker: from which of its parts each row of the table is computed, and what is noted of results."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.messages.models import OUTCOMES, Assurance, Reason, Status
from streamverify.core.metrics.backlog import Backlog
from streamverify.telemetry.build import build_info
from streamverify.telemetry.http import answers
from streamverify.telemetry.loop_delay import watch_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamverify.bus.consumer import RequestConsumer
    from streamverify.bus.publisher import Publisher
    from streamverify.core.delivery.partitions import Partitions
    from streamverify.core.messages.models import ProofResult, Verifier
    from streamverify.lean.pool import Pool
    from streamverify.telemetry.metrics import Metrics, Source
    from streamverify.worker.cached_pool import CachedPool
    from streamverify.worker.ports import JobRunner
    from streamverify.worker.service import Service
    from streamverify.worker.tiers import Tiers

ASK_SECONDS = 5.0
"""Seconds between two questions to the brokers where the worker's partitions end."""
RETRY_SECONDS = 0.5
"""Seconds to the next one where that is not known of one of the partitions, as after a rebalance."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a worker that know what is measured."""

    pool: Pool
    runner: JobRunner
    cache: CachedPool | None
    tiers: Tiers
    service: Service
    partitions: Partitions
    consumer: RequestConsumer
    publisher: Publisher
    ready: Callable[[], bool]
    draining: Callable[[], bool]


class Observations:
    """Notes what happens when it happens: a few microseconds for each result, of the some 300 that a proof costs.

    The parts of a worker are given its methods when they are made; `WorkerMetrics` is made of the parts.
    """

    def __init__(self, metrics: Metrics) -> None:
        """Note in the histograms of `metrics`."""
        self.import_seconds = metrics.histogram("streamverify_import_seconds").observe
        self.commit_seconds = metrics.histogram("streamverify_commit_seconds").observe
        self.results: Counter[tuple[str, ...]] = Counter(dict.fromkeys(_combinations(), 0))
        """By status, reason and assurance."""
        self.superseded: Counter[tuple[str, ...]] = Counter()
        self._queue_wait = metrics.histogram("streamverify_queue_wait_seconds").observe
        self._run = metrics.histogram("streamverify_run_seconds").observe
        self._audit = metrics.histogram("streamverify_audit_seconds").observe
        self._verification = metrics.histogram("streamverify_verification_seconds").observe

    def published(self, result: ProofResult, *, second: bool) -> None:
        """The broker has a result; `second`: its record had one before, which had the times of its way."""
        self.results[result.status, result.reason, result.assurance] += 1
        if result.reason is Reason.SUPERSEDED:
            self.superseded["running" if result.attempts else "waiting",] += 1
        times = result.timings
        # What was answered where it was read was never queued.
        if second or not times.total:
            return
        self._verification(times.total)
        if times.run or times.audit or times.import_:
            self._queue_wait(times.queued)
        if times.run:
            self._run(times.run)
        if times.audit:
            self._audit(times.audit)


class WorkerMetrics:
    """The metrics of one worker."""

    def __init__(
        self, metrics: Metrics, observations: Observations, parts: Parts, *, verifier: Verifier, slots: int
    ) -> None:
        """Compute the metrics from these parts.

        Raises:
            LookupError: The table has a metric that nothing here computes.
        """
        self._metrics = metrics
        self._observations = observations
        self._parts = parts
        self._slots = slots
        self._backlog = Backlog(slots)
        self._verifier = verifier
        self.answer = answers(metrics)
        """Answers `/metrics`."""
        for sources in (
            _of_work(parts),
            _of_lean(parts),
            _of_cache(parts.cache),
            _of_kafka(parts),
            self._own_sources(),
        ):
            self._metrics.at_scrape({f"streamverify_{name}": source for name, source in sources.items()})
        self._metrics.require_all()

    async def run(self) -> None:
        """Ask the brokers where the partitions end, and watch the event loop, until cancelled."""
        delay = self._metrics.histogram("streamverify_event_loop_delay_seconds").observe
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch_event_loop(delay), name="event-loop-delay")
            tasks.create_task(self._ask_ends(), name="backlog")

    async def _ask_ends(self) -> None:
        asked = -math.inf
        while True:
            # What was given to the worker after the last question is asked for soon: nobody knows its backlog.
            if self._backlog_records() is None or time.monotonic() - asked >= ASK_SECONDS:
                asked = time.monotonic()
                if (ends := await self._parts.consumer.ends()) is not None:
                    self._backlog.heard(ends, time.monotonic())
                counts = self._parts.pool.counts
                answered = self._observations.results.total() + self._parts.service.answers.dead_letters.total()
                self._backlog.worked(counts.run_seconds + counts.audit_seconds, answered)
            await asyncio.sleep(RETRY_SECONDS)

    def _own_sources(self) -> Mapping[str, Source]:
        """Return the rows that are noted here of each result, and the backlog."""

        def lag() -> Mapping[tuple[str, ...], float] | None:
            found = self._backlog.lag(self._parts.partitions.readable(paused=True), time.monotonic())
            return None if found is None else _by_number(found)

        return {
            "results_total": lambda: self._observations.results,
            "superseded_total": lambda: self._observations.superseded,
            "slots": lambda: self._slots,
            "lag_records": lag,
            "backlog_records": self._backlog_records,
            "backlog_seconds": lambda: self._backlog.seconds(self._backlog_records()),
            "build_info": lambda: build_info(self._verifier),
        }

    def _backlog_records(self) -> int | None:
        partitions = self._parts.partitions
        return self._backlog.records(partitions.readable(paused=True), partitions.flow.in_flight, time.monotonic())


def _of_work(parts: Parts) -> Mapping[str, Source]:
    service, runner, partitions = parts.service, parts.runner, parts.partitions

    def oldest() -> float:
        job = service.oldest
        return 0.0 if job is None else max(0.0, time.monotonic() - job.record.received)

    return {
        "records_consumed_total": lambda: service.received,
        "dead_letters_total": lambda: {(stage,): count for stage, count in service.answers.dead_letters.items()},
        "records_in_flight": lambda: partitions.flow.in_flight,
        "in_flight_bytes": lambda: partitions.flow.bytes,
        "proofs_queued": lambda: runner.queued + service.quarantine.waiting,
        "proofs_running": lambda: parts.pool.running,
        "oldest_proof_seconds": oldest,
        "ready": parts.ready,
        "draining": parts.draining,
    }


def _of_lean(parts: Parts) -> Mapping[str, Source]:
    pool, tiers = parts.pool, parts.tiers
    counts, occupancy = pool.counts, pool.occupancy

    def seconds() -> Mapping[tuple[str, ...], float]:
        return {
            ("import",): counts.import_seconds,
            ("run",): counts.run_seconds,
            ("audit",): counts.audit_seconds,
        }

    def memory() -> Mapping[tuple[str, ...], float]:
        return _by_number({look.slot: look.memory or 0 for look in occupancy.look(time.monotonic())})

    return {
        "lean_seconds_total": seconds,
        "useful_lean_seconds_total": lambda: counts.useful_seconds,
        "jobs_total": lambda: {(environment,): count for environment, count in pool.environments.items()},
        "repl_starts_total": lambda: counts.starts,
        "repl_deaths_total": lambda: {(cause,): count for cause, count in counts.deaths.items()},
        "repl_replaced_total": lambda: {(why,): count for why, count in counts.replaced.items()},
        "repl_processes": lambda: occupancy.processes,
        "repl_memory_bytes": memory,
        "replays_queued": lambda: tiers.queued,
        "replays_running": lambda: tiers.running,
        "upgrades_total": lambda: tiers.upgraded,
    }


def _of_cache(cached: CachedPool | None) -> Mapping[str, Source]:
    if cached is None:
        names = ("lookups_total", "shared_total", "refused_total", "entries", "bytes")
        nothing: Mapping[tuple[str, ...], float] = {}
        return {
            **{f"cache_{name}": lambda name=name: nothing if name == "lookups_total" else 0 for name in names},  # type: ignore[misc]
            "cache_store_up": lambda: None,
        }
    cache = cached.cache
    counts = cache.counts
    return {
        "cache_lookups_total": lambda: {
            ("memory",): counts["memory"],
            ("store",): counts["store"],
            ("miss",): counts["misses"],
        },
        "cache_shared_total": lambda: cached.followed,
        "cache_refused_total": lambda: counts["refused"],
        "cache_entries": lambda: len(cache.memory),
        "cache_bytes": lambda: cache.memory.bytes,
        "cache_store_up": lambda: cache.store_up,
    }


def _of_kafka(parts: Parts) -> Mapping[str, Source]:
    consumer, partitions, publisher = parts.consumer, parts.partitions, parts.publisher
    counts = consumer.counts
    return {
        "commits_total": lambda: counts.commits,
        "commit_failures_total": lambda: counts.commit_failures,
        "offset_map_bytes": lambda: _by_number(partitions.map_bytes()),
        "rebalances_total": lambda: counts.rebalances,
        "adopted_jobs_total": lambda: counts.adopted,
        "assigned_partitions": lambda: len(partitions.restored()),
        "paused_partitions": lambda: len(partitions.restored()) - len(partitions.readable()),
        "quarantined_partitions": lambda: len(partitions.quarantined() & partitions.restored()),
        "unpublished_records": lambda: publisher.unacknowledged,
        "publish_failures_total": lambda: publisher.failures,
        "lost_by_retention_total": lambda: consumer.lost,
        "brokers_reachable": lambda: consumer.liveness.brokers.outage is None,
    }


def _by_number(values: Mapping[int, float]) -> Mapping[tuple[str, ...], float]:
    return {(str(number),): value for number, value in values.items()}


def _combinations() -> list[tuple[str, ...]]:
    """The combinations of status, reason and assurance that a result can have."""
    verified = [assurance for assurance in Assurance if assurance is not Assurance.NONE]
    return [
        (outcome.status, reason, assurance)
        for reason, outcome in OUTCOMES.items()
        for assurance in (verified if outcome.status is Status.VERIFIED else [Assurance.NONE])
    ]
