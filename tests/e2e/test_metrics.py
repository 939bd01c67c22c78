"""The metrics of a worker under load, each held against what was sent and what came back."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
from command import end, make_environment, started, wait_for_log
from prometheus_tools import Page, promtool_complaints

from streamverify.core.messages.codec import decode_result
from streamverify.core.metrics.metric import Kind, Process
from streamverify.core.metrics.table import METRICS, of_process
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.messages.models import ProofResult

PROOF = "theorem t : 1 = 1 := rfl"
GENTLE = 120
"""Proofs that take 5 ms each, of two headers."""
CACHED = 10
GROUP = 8


def body(custom_id: str, directive: str = "", header: str = "", **fields: Any) -> bytes:
    # The id makes each proof another one: the cache must not answer what is to be run.
    proof = f"{header}\n{PROOF} -- {custom_id}\n-- synthetic: {directive}\n"
    return json.dumps({"custom_id": custom_id, "proof": proof, **fields}).encode()


def gentle() -> list[bytes]:
    return [body(f"gentle-{n}", "service=0.005", "import A" if n % 3 else "import B") for n in range(GENTLE)]


def troubled() -> list[bytes]:
    """One of each kind that does something to its process, or to itself."""
    return [
        body("error", "error"),
        body("sorry", "sorry"),
        body("crash", "crash"),
        body("memory", "oom"),
        body("exit", "exit=3"),
        body("hang", "hang", timeout=0.3),
        body("forge", "forge"),
        body("fresh", disable_cache=True),
        body("import", header="import Gone"),
        body("dies", header="import Dies"),
        body("invalid", timeout="soon"),
        json.dumps({"custom_id": "header", "proof": "import 5\n"}).encode(),
    ]


def group() -> list[bytes]:
    """Attempts of which the first succeeds, and of which nobody needs the others then."""
    of: dict[str, Any] = {"group": "g", "theorem": "t", "first_success": True}
    return [body("group-0", **of), *(body(f"group-{n}", "service=1", **of) for n in range(1, GROUP))]


class Scraped:
    """A worker that was scraped before the load, in the midst of it, and when all was answered and committed."""

    def __init__(self) -> None:
        self.before: Page
        self.during: Page
        self.after: Page
        self.text = ""
        self.results: list[ProofResult] = []
        self.by_id: dict[str, ProofResult] = {}


async def get(url: str) -> str:
    def ask() -> str:
        with urllib.request.urlopen(url, timeout=300) as answer:  # noqa: S310 - loopback, made here
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(ask)


async def page_when(url: str, true: Callable[[Page], bool]) -> tuple[Page, str]:
    async with asyncio.timeout(120):
        while True:
            text = await get(url)
            if true(page := Page(text)):
                return page, text
            await asyncio.sleep(0.05)


async def scrape(url: str, env: dict[str, str]) -> Scraped:
    scraped = Scraped()
    # As soon as a broker has said where the partitions end.
    scraped.before, _ = await page_when(url, lambda page: backlog(page) == 0)
    # Two long ones take the slots while the page is looked at: of one partition, they come first.
    await kafka_records.send(env, [*(body(f"long-{n}", "service=3") for n in range(2)), *gentle()])
    everything = GENTLE + 2
    scraped.during, _ = await page_when(url, lambda page: page.value("streamverify_proofs_queued") > 0)
    await page_when(url, lambda page: page.total("streamverify_results_total") == everything)
    await kafka_records.send(env, [*troubled(), b"no JSON", None])
    everything += len(troubled())
    await page_when(url, lambda page: page.total("streamverify_results_total") == everything)
    await kafka_records.send(env, group())
    # What was verified once is in the cache by now.
    await kafka_records.send(env, [again(f"again-{n}", f"gentle-{n}") for n in range(CACHED)])
    everything += GROUP + CACHED
    scraped.after, scraped.text = await page_when(
        url,
        lambda page: (
            page.total("streamverify_results_total") == everything
            and page.value("streamverify_records_in_flight") == 0 == backlog(page)
            and page.total("streamverify_dead_letters_total") == 2
        ),
    )
    records = await kafka_records.read(env, "RESULT_TOPIC", everything)
    scraped.results = [decode_result(record.value) for record in records]
    scraped.by_id = {result.custom_id: result for result in scraped.results}
    return scraped


def again(custom_id: str, first: str) -> bytes:
    """The proof of another id once more."""
    request = json.loads(next(each for each in gentle() if json.loads(each)["custom_id"] == first))
    return json.dumps({**request, "custom_id": custom_id}).encode()


def backlog(page: Page) -> float | None:
    found = page.series("streamverify_backlog_records")
    return found[()] if found else None


@pytest.fixture(scope="module")
def scraped(embedded: str) -> Scraped:
    env = make_environment(embedded, real=False) | {
        PREFIX + "REPL": "synthetic --import Gone=0:fail --import Dies=0:crash --import A=0.05 --import B=0.05",
        PREFIX + "CACHE": "memory",
        PREFIX + "TEST_CACHE_STAND_INS": "1",
    }
    with started(env, "worker") as worker:
        log = wait_for_log(worker, "partitions_restored")
        listening = re.search(r"http_listening .*port=(\d+)", log)
        assert listening is not None
        assert "/metrics" in log
        found = asyncio.run(scrape(f"http://127.0.0.1:{listening[1]}/metrics", env))
        _, said = end(worker)
    assert "metric_failed" not in said
    assert "Traceback" not in said
    return found


def test_promtool_is_content_with_a_worker_that_has_worked(scraped: Scraped) -> None:
    assert promtool_complaints(scraped.text) == ""


@pytest.mark.parametrize("row", of_process(Process.WORKER), ids=lambda row: row.name)
def test_each_metric_is_there_with_its_type(scraped: Scraped, row: Any) -> None:
    for page in (scraped.before, scraped.during, scraped.after):
        family = row.family if row.kind is Kind.COUNTER else row.name
        assert page.types[family] == ("gauge" if row.kind is Kind.INFO else row.kind)
        assert row.may_be_absent or page.series(row.name + ("_count" if row.kind is Kind.HISTOGRAM else ""))
    # Nothing that only grows has shrunk.
    if row.kind is Kind.COUNTER:
        before, after = (page.series(row.name) for page in (scraped.before, scraped.after))
        for labels, value in scraped.during.series(row.name).items():
            assert 0 <= before.get(labels, 0) <= value <= after[labels]


def test_results_agree_with_those_on_the_topic(scraped: Scraped) -> None:
    sent = Counter((each.assurance, each.reason, each.status) for each in scraped.results)
    counted = {labels: count for labels, count in scraped.after.series("streamverify_results_total").items() if count}
    assert counted == {tuple(map(str, labels)): count for labels, count in sent.items()}
    assert len(counted) > 8
    assert scraped.before.total("streamverify_results_total") == 0


def test_deaths_and_replacements_agree_with_what_was_done_to_the_processes(scraped: Scraped) -> None:
    deaths = {cause: count for (cause,), count in scraped.after.series("streamverify_repl_deaths_total").items()}
    # What is not evidence enough is tried twice, each time in a process of its own.
    assert deaths["crash"] == 2 + scraped.by_id["dies"].attempts
    assert (deaths["memory"], deaths["exit"], deaths["timeout"], deaths["channel"]) == (2, 2, 1, 2)
    assert deaths["refused"] == scraped.by_id["import"].attempts
    assert sum(deaths.values()) == 9 + scraped.by_id["dies"].attempts + scraped.by_id["import"].attempts
    replaced = {why: count for (why,), count in scraped.after.series("streamverify_repl_replaced_total").items()}
    assert replaced["fresh"] <= 1
    ended = sum(1 for each in scraped.results if each.reason == "superseded" and each.attempts)
    assert replaced["superseded"] == ended
    starts = scraped.after.value("streamverify_repl_starts_total")
    living = scraped.after.value("streamverify_repl_processes")
    assert max(scraped.after.series("streamverify_repl_memory_bytes").values()) > 1_000_000
    assert starts == sum(deaths.values()) + sum(replaced.values()) + living
    # Two slots and their spares.
    assert 1 <= living <= len(scraped.after.series("streamverify_repl_memory_bytes"))


def test_the_histograms_have_what_the_results_say(scraped: Scraped) -> None:
    page, times = scraped.after, [each.timings for each in scraped.results]
    taken = [each for each in times if each.run or each.audit or each.import_]
    for name, expected in {
        "queue_wait": [each.queued for each in taken],
        "run": [each.run for each in times if each.run],
        "audit": [each.audit for each in times if each.audit],
        "verification": [each.total for each in times if each.total],
    }.items():
        assert page.value(f"streamverify_{name}_seconds_count") == len(expected), name
        assert page.value(f"streamverify_{name}_seconds_sum") == pytest.approx(sum(expected), rel=1e-6), name
        buckets = {le: count for (le,), count in page.series(f"streamverify_{name}_seconds_bucket").items()}
        for bound in METRICS[f"streamverify_{name}_seconds"].buckets:
            assert buckets[str(float(bound))] == sum(each <= bound for each in expected), (name, bound)
    imports = page.value("streamverify_import_seconds_count")
    assert imports >= 3, "two headers, and a blank one"
    assert page.value("streamverify_import_seconds_sum") > 0.1


def test_leans_time_is_what_the_results_have_and_what_came_to_nothing(scraped: Scraped) -> None:
    seconds = {step: value for (step,), value in scraped.after.series("streamverify_lean_seconds_total").items()}
    ran = [each for each in scraped.results if each.cached is None]
    assert seconds["run"] >= sum(each.timings.run for each in ran) * 0.999
    assert seconds["import"] >= 0.1
    assert seconds["audit"] == 0
    useful = sum(each.timings.run for each in ran if each.status in {"verified", "rejected"})
    assert scraped.after.value("streamverify_useful_lean_seconds_total") == pytest.approx(useful, rel=1e-3)
    # The one that hung for its whole time-out was not of use.
    assert seconds["run"] - useful >= 0.3


def test_what_was_going_on_is_seen_while_it_was(scraped: Scraped) -> None:
    page = scraped.during
    assert page.total("streamverify_results_total") == 0
    running, queued = (page.value(f"streamverify_proofs_{what}") for what in ("running", "queued"))
    in_flight = page.value("streamverify_records_in_flight")
    assert running in {1, 2}
    assert running + queued == in_flight
    assert page.value("streamverify_in_flight_bytes") > 50 * in_flight
    assert 0 < page.value("streamverify_oldest_proof_seconds") < 100
    assert (backlog(page) or 0) >= in_flight
    # Nothing was answered yet, so nobody knows how long the rest takes: there is no sample, and no invented one.
    assert page.series("streamverify_backlog_seconds") == {}
    for idle in (scraped.before, scraped.after):
        for name in ("proofs_running", "proofs_queued", "records_in_flight", "in_flight_bytes", "oldest_proof_seconds"):
            assert idle.value(f"streamverify_{name}") == 0, name
    assert backlog(scraped.after) == scraped.after.value("streamverify_backlog_seconds") == 0
    assert set(scraped.after.series("streamverify_lag_records").values()) == {0}


def test_what_was_consumed_and_what_it_became(scraped: Scraped) -> None:
    page = scraped.after
    consumed = page.value("streamverify_records_consumed_total")
    assert consumed == len(scraped.results) + 2
    letters = {stage: count for (stage,), count in page.series("streamverify_dead_letters_total").items()}
    assert letters == {"decode": 2, "verify": 0, "route": 0}
    superseded = [each for each in scraped.results if each.reason == "superseded"]
    assert superseded
    states = {state: count for (state,), count in page.series("streamverify_superseded_total").items()}
    assert states["running"] == sum(each.attempts > 0 for each in superseded)
    assert states["waiting"] == sum(each.attempts == 0 for each in superseded)


def test_how_proofs_found_their_environment(scraped: Scraped) -> None:
    jobs = {how: count for (how,), count in scraped.after.series("streamverify_jobs_total").items()}
    taken = sum(each.cached is None and each.reason != "invalid_request" for each in scraped.results)
    waiting = scraped.after.value("streamverify_superseded_total", state="waiting")
    assert sum(jobs.values()) == taken - waiting - 1, "each that was handed to a slot; of one the header is no Lean"
    assert jobs["fresh"] == 1
    assert jobs["cold"] >= 3
    assert jobs["warm"] > GENTLE / 2


def test_the_cache(scraped: Scraped) -> None:
    page = scraped.after
    found = {outcome: count for (outcome,), count in page.series("streamverify_cache_lookups_total").items()}
    assert found["memory"] == sum(each.cached is not None for each in scraped.results) == CACHED
    assert found["store"] == 0
    assert found["miss"] >= GENTLE
    assert page.value("streamverify_cache_entries") >= GENTLE
    assert page.value("streamverify_cache_bytes") > 100 * GENTLE
    assert page.value("streamverify_cache_shared_total") == 0
    assert page.value("streamverify_cache_refused_total") == 0
    assert scraped.before.value("streamverify_cache_entries") == 0
    assert page.series("streamverify_cache_store_up") == {}, "there is no store behind its memory"


def test_kafka(scraped: Scraped) -> None:
    page = scraped.after
    assert page.value("streamverify_commits_total") > scraped.before.value("streamverify_commits_total") >= 0
    assert page.value("streamverify_commit_seconds_count") == page.value("streamverify_commits_total")
    assert 0 < page.value("streamverify_commit_seconds_sum") < 100
    partitions = page.value("streamverify_assigned_partitions")
    maps = page.series("streamverify_offset_map_bytes")
    assert len(maps) == partitions > 0
    assert all(0 < size <= 4_096 for size in maps.values())
    assert page.value("streamverify_rebalances_total") == 1
    for name in ("commit_failures_total", "publish_failures_total", "lost_by_retention_total", "adopted_jobs_total"):
        assert page.value(f"streamverify_{name}") == 0, name
    for name in ("paused_partitions", "quarantined_partitions", "unpublished_records"):
        assert page.value(f"streamverify_{name}") == 0, name


def test_the_process_itself(scraped: Scraped) -> None:
    page = scraped.after
    [build] = page.labels("streamverify_build_info")
    assert (build["kind"], build["sandbox"], build["lean"]) == ("synthetic", "none", "")
    assert page.value("streamverify_slots") == 2
    assert [page.value(f"streamverify_{name}") for name in ("ready", "brokers_reachable", "draining")] == [1, 1, 0]
    looks = page.value("streamverify_event_loop_delay_seconds_count")
    assert looks > scraped.before.value("streamverify_event_loop_delay_seconds_count")
    assert page.total("streamverify_metric_failures_total") == 0
    for name in ("replays_queued", "replays_running", "upgrades_total"):
        assert page.value(f"streamverify_{name}") == 0, "the synthetic REPL reaches no higher tier"
    assert page.value("process_cpu_seconds_total") > 0
    assert page.value("process_resident_memory_bytes") > 20_000_000


def test_every_metric_of_the_table_is_named_in_a_test_of_this_file() -> None:
    # By reading the file: a metric that is added without a test of its value is found here.
    source = __file__
    with open(source, encoding="utf-8") as opened:  # noqa: PTH123 - this very file
        text = opened.read()
    families = {row.name.removeprefix("streamverify_") for row in of_process(Process.WORKER)}
    stems = {name.removesuffix("_seconds") if name.endswith("_seconds") else name for name in families}
    assert [stem for stem in sorted(stems) if stem not in text] == []
