"""`streamverify replay --report` and `--compare-cache`, with a worker on a broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from command import make_environment, run_command, serving_worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.any_broker

GOOD = "theorem t : 1 = 1 := by\n  -- synthetic: service=0.005\n  rfl"
BAD = "theorem t : 1 = 2 := by\n  -- synthetic: error\n  rfl"
HEADS = "| Mode | Valid proofs (%) | Total verification time (s) | Average verification time (s) |"


@pytest.fixture(scope="module")
def env(broker: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with serving_worker(env):
        yield env


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "proofs.jsonl"
    rows = [{"id": f"p{n}", "proof": [GOOD, BAD if n % 2 else GOOD]} for n in range(60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return report


def test_a_replay_with_a_report_keeps_its_verdicts_beside_it(
    env: Mapping[str, str], source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "report"
    line = ["replay", str(source), "--report", str(folder), "--slots", "2", "--timeout", "30"]

    ran = run_command(env, *line)

    assert ran.returncode == 0, ran.stderr
    report = report_of(folder)
    assert report["counts"] | {"inconclusive": 0} == {
        "rows": 120, "verified": 90, "rejected": 30, "inconclusive": 0, "unsent": 0,
    }  # fmt: skip
    assert report["title"] == "proofs.jsonl"
    assert report["times"]["latency"]["count"] == 120
    assert report["utilisation"]["elapsed_from"] == "run"
    assert report["utilisation"]["slots"] == 2
    assert report["run"]["settings"]["timeout"] == "30.0"
    assert str(tmp_path) not in json.dumps(report), (
        "a page to show does not tell in which folders somebody keeps things"
    )
    assert report["environment"]["machine"]["cores"] >= 1
    assert [one["estimate"] for one in report["pass_at_k"]["estimates"]] == [0.75, 1.0]
    assert len((folder / "verdicts.jsonl").read_text("utf-8").splitlines()) == 120
    # The same again changes no verdict, and makes the report anew.
    (folder / "report.html").unlink()
    again = run_command(env, *line)
    assert again.returncode == 0, again.stderr
    assert "is complete" in again.stderr
    assert report_of(folder)["counts"] == report["counts"]
    assert (folder / "report.html").exists()


def test_the_seed_s_table(env: Mapping[str, str], source: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    line = ["replay", str(source), "--compare-cache", "--limit", "3", "--run", "seed", "--report", str(kept)]

    ran = run_command(env, *line)

    assert ran.returncode == 0, ran.stderr
    head, _, cached, fresh = ran.stdout.splitlines()
    assert head == HEADS
    assert cached.startswith("| Cached | 83.33 |")
    assert fresh.startswith("| Non-Cached | 83.33 |")
    assert report_of(kept / "non-cached")["run"]["settings"] == {
        "run": "seed-non-cached", "limit": "3", "timeout": "60.0", "disable_cache": "True", "in-flight": "2000",
    }  # fmt: skip
    # The same again is answered from what is kept.
    ran = run_command(env, *line, "--json")
    assert ran.returncode == 0, ran.stderr
    modes = json.loads(ran.stdout)["modes"]
    assert [(mode["mode"], mode["rows"], mode["measured"]) for mode in modes] == [
        ("Cached", 6, 6), ("Non-Cached", 6, 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-", "--compare-cache"], "standard input only once"),
        (["proofs.jsonl", "--compare-cache", "--output", "x.jsonl"], "it takes no --output"),
        (["proofs.jsonl", "--compare-cache", "--disable-cache"], "--compare-cache takes no --disable-cache"),
        (["proofs.jsonl", "--slots", "2"], "--slots needs --report"),
        (["proofs.jsonl", "--report", "/dev/null/x"], "--report /dev/null/x: Not a directory"),
    ],
)
def test_what_makes_no_sense_is_refused(env: Mapping[str, str], source: Path, arguments: list[str], said: str) -> None:
    ran = run_command(env, "replay", *(str(source) if each == source.name else each for each in arguments))

    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    assert said in ran.stderr
