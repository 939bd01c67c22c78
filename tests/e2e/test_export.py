"""`streamverify export`: which results of a topic are written, and how."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from cli_fakes import make_result
from command import make_environment, settings_of
from commands import invoke

from streamverify.bus.connection import make_producer
from streamverify.core.datasets.verdict_row import COLUMNS
from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import Reason
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamverify.core.messages.models import ProofResult


# Of late: a real broker deletes what is older than its topic's retention.
BEGUN = int(time.time()) - 3600


def after(minutes: int) -> str:
    return datetime.fromtimestamp(BEGUN + 60 * minutes, UTC).isoformat()


async def put(env: Mapping[str, str], *results: ProofResult | str) -> None:
    """Put results on the topic in this order, a minute apart; a text is a custom_id whose results are deleted."""
    settings = settings_of(env)
    producer = make_producer(settings)
    await producer.start()
    for minute, result in enumerate(results):
        key = result if isinstance(result, str) else result.custom_id
        value = None if isinstance(result, str) else encode_result(result, limit=1_000_000, overhead=0).value
        # Of one partition: what is said of an order is said of a partition's.
        await producer.send_and_wait(
            settings.result_topic, value, key.encode(), partition=0, timestamp_ms=(BEGUN + 60 * minute) * 1000
        )
    await producer.stop()


@pytest.fixture(scope="module")
def env(broker: str, request: pytest.FixtureRequest) -> dict[str, str]:
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    asyncio.run(
        put(
            env,
            make_result("a/1", Reason.LEAN_ERROR, timestamp=2000, run="monday"),
            make_result("gone", timestamp=1000),
            make_result("a/2", Reason.LEAN_ERROR, timestamp=1000, run="monday"),
            make_result("a/1", timestamp=1000, run="sunday"),  # read later, but its request is the earlier one
            "gone",
            make_result("a/2", timestamp=3000, run="tuesday"),
            make_result("b", Reason.OK, timestamp=1000),
            make_result("b", Reason.OUT_OF_MEMORY, timestamp=1000),  # a repeat that came to no verdict
        )
    )
    return env


@pytest.fixture(autouse=True)
def _surroundings(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in env.items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)


NEWEST = [("a/1", "lean_error"), ("a/2", "ok"), ("b", "ok")]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], NEWEST),
        (["--prefix", "a/"], NEWEST[:2]),
        (["--id", "b", "--id", "a/1"], [NEWEST[0], NEWEST[2]]),
        # The newest of a/2 is verified: that it was rejected before is past.
        (["--status", "rejected"], NEWEST[:1]),
        (["--reason", "out_of_memory"], []),
        (["--run", "monday"], [("a/1", "lean_error"), ("a/2", "lean_error")]),
        (["--until", after(3)], [("a/1", "lean_error"), ("gone", "ok"), ("a/2", "lean_error")]),
        (["--since", after(6)], [("b", "ok")]),
        (["--all", "--status", "rejected"], [("a/1", "lean_error"), ("a/2", "lean_error")]),
        (["--all", "--reason", "out_of_memory"], [("b", "out_of_memory")]),
    ],
    ids=["all", "prefix", "ids", "status", "reason", "run", "until", "since", "all-status", "all-reason"],
)
def test_what_is_asked_for_is_written(tmp_path: Path, flags: list[str], expected: list[tuple[str, str]]) -> None:
    file = tmp_path / "exported.jsonl"
    ran = invoke("export", "--output", str(file), "--json", *flags)
    assert ran.code == 0, ran.stderr
    rows: list[dict[str, Any]] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [(row["custom_id"], row["reason"]) for row in rows] == expected
    assert json.loads(ran.stdout)["rows"] == len(rows)
    assert all(list(row) == list(COLUMNS) for row in rows)


def test_parquet_has_the_same_and_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    file = tmp_path / "exported.parquet"
    assert invoke("export", "--output", str(file)).code == 0
    table = pq.read_table(file)
    assert table.column_names == list(COLUMNS)
    assert list(zip(table["custom_id"].to_pylist(), table["reason"].to_pylist(), strict=True)) == NEWEST
    before = file.read_bytes()
    refused = invoke("export", "--output", str(file))
    assert (refused.code, file.read_bytes()) == (2, before)
    assert "--overwrite" in refused.stderr
