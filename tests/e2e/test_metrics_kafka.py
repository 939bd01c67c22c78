"""The metrics of router and results table, and of a worker whose predecessor died, on a real Kafka."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from command import end, make_environment, started, wait_for_log
from prometheus_tools import Page, promtool_complaints

from streamverify.core.metrics.metric import Kind, Process
from streamverify.core.metrics.table import of_process
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

PROOFS = 30
PARTITIONS = 3

pytestmark = pytest.mark.kafka


def proof(number: int, directive: str = "") -> bytes:
    text = f"theorem t{number} : 1 = 1 := rfl\n-- synthetic: {directive}\n"
    return json.dumps({"custom_id": f"p{number}", "proof": text}).encode()


async def produce(env: dict[str, str], topic: str, records: list[tuple[bytes | None, bytes | None]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"]) as producer:
        for key, value in records:
            await producer.send_and_wait(env[PREFIX + topic], value, key=key)


async def url_of(process: subprocess.Popen[str]) -> str:
    said = await asyncio.to_thread(wait_for_log, process, "http_listening")
    listening = re.search(r"http_listening .*port=(\d+)", said)
    assert listening is not None
    return f"http://127.0.0.1:{listening[1]}"


async def page_when(url: str, true: Callable[[Page], Any]) -> str:
    """The text of the first page of which this is true."""

    def ask() -> str:
        try:
            with urllib.request.urlopen(f"{url}/metrics", timeout=300) as answer:  # noqa: S310 - loopback
                text: str = answer.read().decode()
                return text
        except urllib.error.URLError:
            return ""

    text = ""
    try:
        async with asyncio.timeout(150):
            while True:
                text = await asyncio.to_thread(ask)
                if text and true(Page(text)):
                    return text
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        error.add_note("\n".join(line for line in text.splitlines() if not line.startswith("#")))
        raise


def is_up_to_date(page: Page, process: str) -> bool:
    # Not ready for a moment is allowed: on a busy machine what was taken in may be behind what is known of the end.
    return page.series(f"streamverify_{process}_lag_records") == {(): 0} and page.value("streamverify_ready") == 1


def check_rows(text: str, process: Process) -> None:
    assert promtool_complaints(text) == ""
    page = Page(text)
    for row in of_process(process):
        assert page.types[row.family if row.kind is Kind.COUNTER else row.name]
        assert page.series(row.name + ("_count" if row.kind is Kind.HISTOGRAM else "")), row.name
    assert page.total("streamverify_metric_failures_total") == 0
    assert [page.value(f"streamverify_{name}") for name in ("ready", "brokers_reachable", "draining")] == [1, 1, 0]
    [build] = page.labels("streamverify_build_info")
    assert build["version"]
    assert build["kind"] == ""


async def test_router_table_and_a_worker_after_a_dead_one(kafka: str) -> None:
    env = make_environment(kafka, real=True) | {
        PREFIX + "SESSION_TIMEOUT_MS": "6000",
        PREFIX + "GROUP_INSTANCE_ID": "one",
    }
    with started(env, "router") as router, started(env, "table") as table, started(env, "worker") as worker:
        of_router, of_table, of_worker = await asyncio.gather(*map(url_of, (router, table, worker)))
        nothing = Page(await page_when(of_router, lambda page: page.value("streamverify_ready")))
        assert nothing.total("streamverify_router_records_total") == nothing.value("streamverify_router_headers") == 0
        malformed: list[tuple[bytes | None, bytes | None]] = [(b"k", b"no JSON"), (b"k", None)]
        await produce(env, "INGEST_TOPIC", [*((b"k", proof(number)) for number in range(PROOFS)), *malformed])

        def routed(page: Page) -> bool:
            found = page.series("streamverify_router_records_total")
            done = found == {("forwarded",): PROOFS, ("dead_letter",): 2}
            return done and is_up_to_date(page, "router")

        text = await page_when(of_router, routed)
        check_rows(text, Process.ROUTER)
        page = Page(text)
        assert page.value("streamverify_dead_letters_total", stage="route") == 2
        await page_when(of_router, lambda page: page.value("streamverify_router_headers") == 1)

        # The worker answers them, the table has the answers, and what else lies on the topic.
        await produce(env, "RESULT_TOPIC", [(b"stranger", b"no JSON")])

        def taken_in(page: Page) -> bool:
            found = page.series("streamverify_table_records_total")
            done = found == {("result",): PROOFS, ("tombstone",): 0, ("skipped",): 1}
            return done and is_up_to_date(page, "table")

        text = await page_when(of_table, taken_in)
        check_rows(text, Process.TABLE)
        page = Page(text)
        assert page.value("streamverify_table_rows") == PROOFS
        assert page.value("streamverify_table_partitions") == PARTITIONS
        assert page.value("streamverify_table_partitions_behind") == 0
        await produce(env, "RESULT_TOPIC", [(b"p0", None)])
        text = await page_when(
            of_table, lambda page: page.value("streamverify_table_records_total", outcome="tombstone") == 1
        )
        assert Page(text).value("streamverify_table_rows") == PROOFS - 1

        # A worker dies with a proof running; who comes after it is careful with that partition.
        await produce(env, "REQUEST_TOPIC", [(b"k", proof(PROOFS, "service=100"))])
        await page_when(of_worker, lambda page: page.value("streamverify_proofs_running") == 1)
        end(worker, signal.SIGKILL)
        with started(env, "worker") as successor:
            of_successor = await url_of(successor)
            text = await page_when(of_successor, lambda page: page.value("streamverify_quarantined_partitions"))
            page = Page(text)
            assert page.value("streamverify_quarantined_partitions") <= PARTITIONS
            assert page.value("streamverify_rebalances_total") >= 1
            assert page.value("streamverify_assigned_partitions") >= 1
            assert promtool_complaints(text) == ""
            end(successor, signal.SIGKILL)
