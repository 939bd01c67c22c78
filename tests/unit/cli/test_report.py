"""`streamverify report`: what is printed, and what is refused. The figures are tests/unit/reports' matter."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from command import environment
from commands import invoke
from jsonschema import Draft202012Validator
from support import ROOT

from streamverify.cli.errors import InputError
from streamverify.cli.replay_report import made
from streamverify.core.reports.schemas import report_schema_files

if TYPE_CHECKING:
    from pathlib import Path

VERDICTS = str(ROOT / "tests" / "data" / "verdicts.jsonl")
SCHEMAS = {name.partition(".")[0]: json.loads(text) for name, text in report_schema_files().items()}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_of_verdicts_becomes_a_folder_named_after_it(tmp_path: Path) -> None:
    ran = invoke("report", VERDICTS)

    assert ran.code == 0
    assert sorted(file.name for file in (tmp_path / "verdicts-report").iterdir()) == ["report.html", "report.json"]
    assert ran.stderr == "note: written: verdicts-report/report.html and verdicts-report/report.json\n"
    assert "20 rows, 13 verified, 6 rejected, 1 inconclusive, 0 unsent" in ran.stdout
    assert "pass@2 100.0 % (10 problems)" in ran.stdout


def test_json_is_the_report_as_it_stands_in_the_file(tmp_path: Path) -> None:
    ran = invoke("report", VERDICTS, "--output", "out", "--slots", "2", "--title", "<two> slots", "--json")

    report = json.loads(ran.stdout)
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["title"], report["utilisation"]["slots"]) == ("<two> slots", 2)
    Draft202012Validator(SCHEMAS["report"]).validate(report)
    assert "<two>" not in (tmp_path / "out" / "report.html").read_text()
    assert invoke("report", "out", "--json").stdout == ran.stdout


def test_two_are_compared_and_nothing_is_written(tmp_path: Path) -> None:
    ran = invoke("report", VERDICTS, VERDICTS)
    assert ran.code == 0
    assert ran.stderr == ""
    assert "Verdicts: 0 changed." in ran.stdout
    assert "no difference shown" in ran.stdout
    compared = json.loads(invoke("report", VERDICTS, VERDICTS, "--json").stdout)
    Draft202012Validator(SCHEMAS["comparison"]).validate(compared)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([VERDICTS, VERDICTS, VERDICTS], "one file is made into a report, two are compared; 3 were named"),
        ([VERDICTS, VERDICTS, "--slots", "2"], "--output, --title and --slots are for one file; two are compared"),
        (["nothing.jsonl"], "nothing.jsonl: No such file or directory"),
        (["."], ".: a folder without report.json"),
        ([VERDICTS, "elsewhere.jsonl"], "have no custom_id in common"),
        (["version.json"], "a report of version 99"),
        (["out", "--title", "x"], "out is a report already"),
        (["text"], "text:1: no JSON"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_code_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.jsonl").write_text('{"custom_id": "else", "status": "verified", "reason": "ok"}\n')
    (tmp_path / "version.json").write_text('{"kind": "streamverify-report", "report_version": 99}\n')
    (tmp_path / "text").write_text("hello\n")
    invoke("report", VERDICTS, "--output", "out")

    ran = invoke("report", *arguments)

    assert (ran.code, ran.stdout) == (2, "")
    [line] = ran.stderr.splitlines()
    assert said in line


def test_the_folder_of_a_report_is_left_only_where_something_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "was there").mkdir()
    for name in ("was there", "new/deep"):
        with made(tmp_path / name):
            assert (tmp_path / name).is_dir()
    assert [file.name for file in tmp_path.iterdir()] == ["was there"]
    with made(tmp_path / "kept"):
        (tmp_path / "kept" / "verdicts.jsonl").touch()
    assert (tmp_path / "kept" / "verdicts.jsonl").exists()
    with pytest.raises(InputError, match="--report "), made(tmp_path / "kept" / "verdicts.jsonl"):
        pass


def test_ctrl_c_says_that_nothing_was_written_and_leaves_nothing(tmp_path: Path) -> None:
    # A pipe that nobody closes: the reading has begun and does not end.
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamverify", "report", "pipe", "--output", "out"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with (tmp_path / "pipe").open("wb") as writing:  # returns once it reads
            writing.write(b"x")
            writing.flush()
            # Perhaps again: one that comes just before a read begins is noticed only when that read ends.
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
