"""Each metric of a worker is computed from the part that knows it; what is noted of a result."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gateway_results import result
from prometheus_tools import Page

from streamverify.bus.consumer_counts import ConsumerCounts
from streamverify.core.messages.dead_letter import Stage
from streamverify.core.messages.models import OUTCOMES, Assurance, Reason, Verifier
from streamverify.core.metrics.labels import EnvironmentState, ReplDeath, ReplReplaced
from streamverify.core.metrics.lean_counts import LeanCounts
from streamverify.core.metrics.metric import Process
from streamverify.telemetry.metrics import Metrics
from streamverify.worker import metrics as module
from streamverify.worker.metrics import Observations, Parts, WorkerMetrics

VERIFIER = Verifier(kind="lean", lean_version="4.35.0", repl_version="1.2", mathlib_version="abc", policy_version="3")


def parts(**instead: Any) -> Parts:
    """Parts that each say numbers of their own."""
    counts = LeanCounts()
    counts.starts = 9
    counts.deaths.update({ReplDeath.CRASH: 2})
    counts.replaced.update({ReplReplaced.WORN: 3})
    counts.import_seconds, counts.run_seconds, counts.audit_seconds, counts.useful_seconds = 1.5, 40.0, 2.0, 30.0
    cache = SimpleNamespace(
        counts=Counter(memory=11, store=12, misses=13, refused=14), memory=SizedMemory(), status=dict, store_up=True
    )
    made: dict[str, Any] = {
        "pool": SimpleNamespace(
            counts=counts,
            environments=Counter({EnvironmentState.COLD: 4}),
            running=6,
            occupancy=SimpleNamespace(
                processes=4,
                look=lambda _now: [SimpleNamespace(slot=0, memory=None), SimpleNamespace(slot=1, memory=7_000)],
            ),
        ),
        "runner": SimpleNamespace(queued=5),
        "cache": SimpleNamespace(cache=cache, followed=15),
        "tiers": SimpleNamespace(queued=16, running=17, upgraded=18),
        "service": SimpleNamespace(
            received=100,
            quarantine=SimpleNamespace(waiting=20),
            oldest=SimpleNamespace(record=SimpleNamespace(received=time.monotonic() - 50)),
            answers=SimpleNamespace(dead_letters=Counter({Stage.VERIFY: 2})),
        ),
        "partitions": SimpleNamespace(
            flow=SimpleNamespace(in_flight=21, bytes=22),
            restored=lambda: frozenset({0, 1, 2}),
            readable=lambda *, paused=False: {0: 100, 1: 200, 2: 300} if paused else {0: 100},
            quarantined=lambda: frozenset({2, 7}),
            map_bytes=lambda: {0: 12, 1: 40, 2: 0},
        ),
        "consumer": SimpleNamespace(
            counts=ConsumerCounts(commits=31, commit_failures=32, rebalances=33, adopted=34),
            lost=35,
            liveness=SimpleNamespace(brokers=SimpleNamespace(outage=None)),
            ends=ends_of({0: 110, 1: 200, 2: 290}),
        ),
        "publisher": SimpleNamespace(unacknowledged=36, failures=37),
        "ready": lambda: True,
        "draining": lambda: False,
    }
    return Parts(**{**made, **instead})


class SizedMemory:
    bytes = 1_000

    def __len__(self) -> int:
        return 19


def ends_of(ends: dict[int, int] | None) -> Any:
    async def ask() -> dict[int, int] | None:
        return ends

    return ask


def watched(given: Parts, slots: int = 2) -> WorkerMetrics:
    metrics = Metrics(Process.WORKER)
    return WorkerMetrics(metrics, Observations(metrics), given, verifier=VERIFIER, slots=slots)


def page_of(made: WorkerMetrics) -> Page:
    return Page(made._metrics.page().body.decode())


async def looked(made: WorkerMetrics, times: int = 1) -> Page:
    """The page after the brokers were asked where the partitions end."""
    asked = 0
    heard = asyncio.Event()
    ask = made._parts.consumer.ends

    async def noted() -> Any:
        nonlocal asked
        found = await ask()
        asked += 1
        if asked == times:
            heard.set()
        return found

    cast("Any", made._parts.consumer).ends = noted
    running = asyncio.create_task(made.run())
    await heard.wait()
    await asyncio.sleep(0)
    page = page_of(made)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    cast("Any", made._parts.consumer).ends = ask
    return page


async def test_each_comes_from_its_part() -> None:
    page = await looked(watched(parts()))
    expected = {
        "records_consumed_total": 100,
        "records_in_flight": 21,
        "in_flight_bytes": 22,
        "proofs_queued": 25,
        "proofs_running": 6,
        "slots": 2,
        "useful_lean_seconds_total": 30,
        "repl_starts_total": 9,
        "repl_processes": 4,
        "replays_queued": 16,
        "replays_running": 17,
        "upgrades_total": 18,
        "cache_shared_total": 15,
        "cache_refused_total": 14,
        "cache_entries": 19,
        "cache_bytes": 1_000,
        "cache_store_up": 1,
        "commits_total": 31,
        "commit_failures_total": 32,
        "rebalances_total": 33,
        "adopted_jobs_total": 34,
        "lost_by_retention_total": 35,
        "unpublished_records": 36,
        "publish_failures_total": 37,
        "assigned_partitions": 3,
        "paused_partitions": 2,
        "quarantined_partitions": 1,
        "ready": 1,
        "brokers_reachable": 1,
        "draining": 0,
        # 10 of partition 0, none of the others: one of them is behind what was heard.
        "backlog_records": 10 + 21,
    }
    assert {name: page.value(f"streamverify_{name}") for name in expected} == expected
    assert 50 <= page.value("streamverify_oldest_proof_seconds") < 150
    series = {
        "dead_letters_total": {("decode",): 0, ("route",): 0, ("verify",): 2},
        "jobs_total": {("warm",): 0, ("delayed",): 0, ("cold",): 4, ("fresh",): 0},
        "lean_seconds_total": {("import",): 1.5, ("run",): 40, ("audit",): 2},
        "repl_memory_bytes": {("0",): 0, ("1",): 7_000},
        "cache_lookups_total": {("memory",): 11, ("store",): 12, ("miss",): 13},
        "offset_map_bytes": {("0",): 12, ("1",): 40, ("2",): 0},
        "lag_records": {("0",): 10, ("1",): 0, ("2",): 0},
    }
    for name, values in series.items():
        assert page.series(f"streamverify_{name}") == values, name
    assert (
        page.value("streamverify_repl_deaths_total", cause="crash") == page.total("streamverify_repl_deaths_total") == 2
    )
    assert page.value("streamverify_repl_replaced_total", why="worn") == 3
    [build] = page.labels("streamverify_build_info")
    assert (build["kind"], build["lean"], build["repl"], build["mathlib"], build["policy"]) == (
        "lean",
        "4.35.0",
        "1.2",
        "abc",
        "3",
    )
    assert page.total("streamverify_metric_failures_total") == 0


async def test_the_backlog_in_seconds_is_known_once_a_record_was_answered() -> None:
    answers, quarantine = SimpleNamespace(dead_letters=Counter()), SimpleNamespace(waiting=0)
    service = SimpleNamespace(received=0, oldest=None, answers=answers, quarantine=quarantine)
    made = watched(parts(service=service))
    page = await looked(made)
    assert page.series("streamverify_backlog_seconds") == {}
    for _ in range(21):
        made._observations.published(result("ok", {"env": 0}), second=False)
    page = await looked(made)
    # 31 records x 42 s of 21 records / 2 slots.
    assert page.value("streamverify_backlog_seconds") == pytest.approx(31 * 42 / 21 / 2)


async def test_where_no_broker_says_the_backlog_is_not_known_and_all_else_is() -> None:
    silent = parts(
        consumer=SimpleNamespace(
            counts=ConsumerCounts(),
            lost=0,
            liveness=SimpleNamespace(brokers=SimpleNamespace(outage="no broker answers")),
            ends=ends_of(None),
        )
    )
    page = await looked(watched(silent))
    for name in ("backlog_records", "backlog_seconds", "lag_records"):
        assert page.series(f"streamverify_{name}") == {}
    assert page.value("streamverify_brokers_reachable") == 0
    assert page.value("streamverify_proofs_running") == 6
    assert page.total("streamverify_metric_failures_total") == 0


async def test_partitions_that_come_between_two_questions_are_asked_for_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only the short pause ends within this test.
    monkeypatch.setattr(module, "ASK_SECONDS", 1e6)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    given = parts()
    partitions, consumer = cast("Any", given.partitions), cast("Any", given.consumer)
    of_three = partitions.readable
    partitions.readable = lambda **_paused: {}
    consumer.ends = ends_of({})
    made = watched(given)
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(60):
        while page_of(made).series("streamverify_backlog_records") == {}:
            await asyncio.sleep(0.001)
        partitions.readable, consumer.ends = of_three, ends_of({0: 110, 1: 200, 2: 300})
        assert page_of(made).series("streamverify_backlog_records") == {}, "of the new ones nothing is known yet"
        while page_of(made).series("streamverify_backlog_records") == {}:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert page_of(made).value("streamverify_backlog_records") == 10 + 21


def test_without_a_cache_its_metrics_are_there_and_0() -> None:
    page = page_of(watched(parts(cache=None)))
    for name in ("cache_lookups_total", "cache_shared_total", "cache_refused_total", "cache_entries", "cache_bytes"):
        assert set(page.series(f"streamverify_{name}").values()) == {0}
    assert page.series("streamverify_cache_store_up") == {}, "there is none to be down"


@pytest.mark.parametrize(("store_up", "sample"), [(True, {(): 1.0}), (False, {(): 0.0}), (None, {})])
def test_a_store_is_up_or_down_or_there_is_none(store_up: Any, sample: dict[tuple[str, ...], float]) -> None:
    given = parts()
    cast("Any", given.cache).cache.store_up = store_up
    assert page_of(watched(given)).series("streamverify_cache_store_up") == sample


def test_a_worker_whose_table_has_a_metric_that_nothing_computes_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_of_lean", lambda _parts: {})
    with pytest.raises(LookupError, match="streamverify_jobs_total"):
        watched(parts())


def test_every_reason_and_assurance_has_its_series_before_it_occurs() -> None:
    page = page_of(watched(parts()))
    series = page.series("streamverify_results_total")
    assert {reason for _, reason, _ in series} == set(Reason)
    verified = {assurance for assurance, reason, _ in series if reason == "ok"}
    assert verified == {assurance for assurance in Assurance if assurance != "none"}
    assert all(OUTCOMES[Reason(reason)].status == status for _, reason, status in series)


def noted(*results: tuple[Any, bool]) -> Page:
    metrics = Metrics(Process.WORKER)
    results_noted = Observations(metrics)
    for each, second in results:
        results_noted.published(each, second=second)
    metrics.at_scrape(
        {
            "streamverify_results_total": lambda: results_noted.results,
            "streamverify_superseded_total": lambda: results_noted.superseded,
        }
    )
    # What this test has no source for is left out of the page.
    return Page(metrics.page().body.decode())


def timings(**seconds: float) -> dict[str, Any]:
    return {"timings": {"queued": 0.0, "import": 0.0, "run": 0.0, "audit": 0.0, "total": 0.0, **seconds}}


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        # queue_wait, run, audit, verification
        (timings(queued=1, run=2, audit=3, total=6), (1, 1, 1, 1)),
        (timings(queued=1, run=2, total=3), (1, 1, 0, 1)),
        (timings(queued=1, **{"import": 4}, total=5), (1, 0, 0, 1)),
        # From the cache, or superseded while it waited: no slot took it.
        (timings(queued=1, total=1), (0, 0, 0, 1)),
        # Answered where it was read.
        (timings(), (0, 0, 0, 0)),
    ],
)
def test_a_histogram_has_the_proofs_that_its_help_names(given: dict[str, Any], counts: tuple[int, ...]) -> None:
    page = noted((result("ok", {"env": 0}, **given), False))
    names = ("queue_wait", "run", "audit", "verification")
    assert tuple(page.value(f"streamverify_{name}_seconds_count") for name in names) == counts


def test_a_second_result_counts_and_has_no_times_of_its_own() -> None:
    page = noted((result("ok", {"env": 0}, **timings(queued=1, run=2, audit=3, total=6)), True))
    assert page.value("streamverify_run_seconds_count") == 0
    assert page.value("streamverify_results_total", reason="ok", assurance="audited") == 1


def test_superseded_ones_are_told_apart_by_whether_they_ran() -> None:
    waiting, running = (result("superseded", None, attempts=attempts) for attempts in (0, 1))
    page = noted((waiting, False), (waiting, False), (running, False))
    assert page.series("streamverify_superseded_total") == {("waiting",): 2, ("running",): 1}
