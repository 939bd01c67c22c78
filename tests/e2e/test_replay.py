"""`streamverify replay` with a worker on a broker: killed under load, resumed, two at once, open loop."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import end, make_environment, run_command, serving_worker, settings_of, started
from support import recorded

from streamverify.bus.topic_reader import records_kept
from streamverify.core.datasets.verdict_row import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GOOD = "theorem t : 1 = 1 := by\n  -- synthetic: service=0.005\n  rfl"
BAD = "theorem t : 1 = 2 := by\n  -- synthetic: error\n  rfl"
ROWS = 400


@pytest.fixture(scope="module")
def env(broker: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with serving_worker(env):
        yield env


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "proofs.jsonl"
    rows = [{"id": f"p{n}", "level": n % 3, "proof": BAD if n % 10 == 0 else GOOD} for n in range(ROWS)]
    rows[7]["proof"] = None
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def answered(env: Mapping[str, str]) -> int:
    settings = settings_of(env)
    return asyncio.run(records_kept(settings, settings.result_topic))


def wait_for_answers(env: Mapping[str, str], count: int) -> None:
    give_up = time.monotonic() + 90
    while answered(env) < count:
        assert time.monotonic() < give_up, f"{answered(env)} answers instead of {count}"


def check(output: Path, source: Path) -> None:
    """Each row of the source is there once, in its order and unchanged, with the verdict that it must have."""
    found, rows = rows_of(output), rows_of(source)
    assert [{name: row[name] for name in ("id", "level", "proof")} for row in found] == rows
    assert [row["custom_id"] for row in found] == [f"p{n}" for n in range(ROWS)]
    expected = [None if n == 7 else "rejected" if n % 10 == 0 else "verified" for n in range(ROWS)]
    assert [row["status"] for row in found] == expected
    assert {name for row in found for name in row} == {"id", "level", "proof", *COLUMNS}


# So slowly that a process is far from its end when it is killed, however long the test takes to get there.
SLOWLY = ("--rate", "10")


def test_killed_under_load_the_same_command_line_goes_on(env: dict[str, str], source: Path, tmp_path: Path) -> None:
    output = tmp_path / "verdicts.jsonl"
    line = ["replay", str(source), "--output", str(output), "--run", "killed"]
    for _ in range(2):
        before = answered(env)
        with started(env, *line, *SLOWLY) as process:
            wait_for_answers(env, before + 20)
            # It stands still, and has its state open: nobody else may write there.
            process.send_signal(signal.SIGSTOP)
            other = run_command(env, *line)
            assert (other.returncode, "another replay is writing there" in other.stderr) == (2, True), other
            end(process, signal.SIGKILL)
        assert not output.exists()

    changed = run_command(env, *line, "--proof-column", "id")
    assert changed.returncode == 2
    assert "is the state of another replay" in changed.stderr
    assert "--restart" in changed.stderr
    done = run_command(env, *line, "--json")

    assert done.returncode == 0, done.stderr
    assert "verdicts of an earlier process" in done.stderr
    said = json.loads(done.stdout)
    assert (said["rows"], said["not_sent"], said["run"]) == (ROWS, 1, "killed")
    check(output, source)
    # What was sent before a kill is not sent again: its answer is found.
    asked = asyncio.run(records_kept(settings_of(env), settings_of(env).request_topic))
    again = run_command(env, *line)
    assert (again.returncode, "is complete" in again.stderr) == (0, True)
    assert asyncio.run(records_kept(settings_of(env), settings_of(env).request_topic)) == asked


def test_ctrl_c_says_how_to_go_on(env: dict[str, str], source: Path, tmp_path: Path) -> None:
    output = tmp_path / "verdicts.jsonl"
    line = ["replay", str(source), "--output", str(output)]
    before = answered(env)
    with started(env, *line, *SLOWLY) as process:
        wait_for_answers(env, before + 10)
        _, said = end(process, signal.SIGINT)
    assert process.returncode == 130, said
    assert "kept" in said
    assert "the same command line goes on" in said
    done = run_command(env, *line)
    assert done.returncode == 0, done.stderr
    check(output, source)


@pytest.mark.any_broker
def test_an_open_loop_keeps_its_rate_and_says_what_the_output_cannot(
    env: dict[str, str], source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "verdicts.jsonl"
    ran = run_command(env, "replay", str(source), "--limit", "20", "--rate", "20", "--output", str(output), "--json")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    # The last is sent 18 twentieths of a second after the first, as one of them is no request.
    assert said["seconds"] >= 0.9
    assert all(row["latency_seconds"] > 0 for row in rows_of(output) if row["status"])
    foreign = tmp_path / "mine.jsonl"
    foreign.write_text("{}\n")
    refused = run_command(env, "replay", str(source), "--output", str(foreign))
    assert (refused.returncode, foreign.read_text()) == (2, "{}\n")
    assert not (tmp_path / "mine.jsonl.replay").exists()


@pytest.mark.any_broker
def test_parquet_in_and_out_keeps_the_columns_of_real_proofs(env: dict[str, str], tmp_path: Path) -> None:
    source, output = tmp_path / "goedel.parquet", tmp_path / "verdicts.parquet"
    proofs = recorded("goedel")
    table = pa.table(
        {
            "problem_id": [proof["custom_id"] for proof in proofs],
            "level": pa.array(range(len(proofs)), pa.uint8()),
            "full_proof": [proof["proof"] for proof in proofs],
            "tags": pa.array([["a", None]] * len(proofs), pa.list_(pa.large_string())),
        }
    )
    pq.write_table(table, source)
    ran = run_command(env, "replay", str(source), "--output", str(output), "--timeout", "30")
    assert ran.returncode == 0, ran.stderr
    written = pq.read_table(output)
    assert written.select(table.column_names).equals(table)
    assert set(written["status"].to_pylist()) == {"verified"}
    assert "import Mathlib" in written["header"][0].as_py()
