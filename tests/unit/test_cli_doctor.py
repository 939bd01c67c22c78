"""What doctor makes of what it finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from streamverify.bus.topics import TopicState
from streamverify.cli import doctor
from streamverify.cli.app import app
from streamverify.cli.doctor import (
    Check,
    allowed_check,
    cores_check,
    files_check,
    memory_check,
    processes_check,
    python_check,
    repl_checks,
    topic_check,
)
from streamverify.core.models import Verifier
from streamverify.core.vocabulary import Trusted, Vocabulary
from streamverify.lean import machine
from streamverify.lean.resources import plan_slots

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3
LEAN = Verifier(kind="lean", lean_version="4.33.0")
MATHLIB = Verifier(kind="lean", lean_version="4.33.0", mathlib_version="v4.33.0")


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    ("memory", "slots", "level"),
    [(16 * GIB, 4, "ok"), (15 * GIB, 4, "warning"), (15 * GIB, None, "warning"), (15 * GIB, 3, "warning")],
)
def test_memory(memory: int, slots: int | None, level: str) -> None:
    assert memory_check(plan_slots(slots, 4 * GIB, 4, memory)).level == level


def test_memory_says_how_many_slots_fit() -> None:
    assert "--slots 3" in memory_check(plan_slots(4, 4 * GIB, 4, 15 * GIB)).advice
    assert "--slots 1" in memory_check(plan_slots(4, 4 * GIB, 4, GIB)).advice
    assert memory_check(plan_slots(1, GIB, 1, None)).level == "warning"


def test_cores_and_limits() -> None:
    enough = plan_slots(4, GIB, 4, 64 * GIB)
    assert cores_check(enough, 8).level == "ok"
    assert "4 REPL slots and 4 spare, 1 threads" in cores_check(enough, 8).found
    assert "auto" in cores_check(plan_slots(4, GIB, 2, None), 8).advice
    assert files_check(None, 4).level == files_check(1024, 4).level == "ok"
    assert "ulimit -n 288" in files_check(256, 4).advice
    assert processes_check(None, 4).level == "ok"
    assert processes_check(100, 4).level == "warning"


def test_another_system_is_warned_about() -> None:
    assert python_check((3, 12, 1), "Linux") == Check("Python", "ok", "3.12.1 on Linux")
    assert python_check((3, 12, 1), "Darwin").level == "warning"


def test_what_answers_in_leans_stead_is_told() -> None:
    assert [check.level for check in repl_checks(MATHLIB)] == ["ok", "ok", "ok"]
    assert [check.level for check in repl_checks(LEAN)] == ["ok", "ok", "warning"]
    [check] = repl_checks(Verifier(kind="replay"))
    assert (check.level, "not Lean's" in check.advice) == ("warning", True)


def test_topics() -> None:
    assert "topics create" in topic_check(TopicState("t", exists=False)).advice
    assert topic_check(TopicState("t", exists=False)).level == "missing"
    assert topic_check(TopicState("t", exists=True, partitions=4, replication=1)).level == "ok"
    assert topic_check(TopicState("t", exists=True, warnings=("short",))) == Check(
        "topic t", "warning", "0 partitions, replication 0", "short"
    )


@pytest.mark.parametrize(("level", "code"), [("ok", 0), ("warning", 0), ("missing", 4)])
def test_the_exit_code_says_whether_a_worker_could_run(monkeypatch: pytest.MonkeyPatch, level: Any, code: int) -> None:
    async def examine(_settings: Any) -> list[Check]:
        return [Check("REPL", level, "[x]", "do this\nand that")]

    monkeypatch.setattr(doctor, "examine", examine)
    runner = CliRunner()
    shown = runner.invoke(app, ["doctor"])
    assert shown.exit_code == code
    assert shown.stdout.splitlines()[0].split() == [level, "REPL:", "[x]"]
    assert [line.strip() for line in shown.stdout.splitlines()[1:3]] == ["do this", "and that"]
    found = json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)
    assert found["able"] is (code == 0)
    assert found["checks"][0]["level"] == level


def test_the_pids_limit_of_a_container(tmp_path: Path) -> None:
    write(tmp_path / "proc", **{"self/cgroup": "0::/\n"})
    write(tmp_path / "cg", **{"pids.max": "7\n"})
    assert machine.process_limit(tmp_path / "proc", tmp_path / "cg") == 7


def test_the_words_of_policy_allow_must_be_known_to_a_header() -> None:
    allowed = Trusted.parse("command:problem_file attribute:coe option:google.answer")
    known = Vocabulary(frozenset({"problem_file"}), frozenset({"coe"}), frozenset({"pp.all"}))
    more = Vocabulary(frozenset({"theorem"}), frozenset({"simp"}), frozenset({"google.answer"}))
    assert allowed_check(allowed, [known, more]).level == "ok"
    check = allowed_check(allowed, [known])
    assert (check.level, check.found.rpartition(" ")[2]) == ("warning", "option:google.answer")
    assert "prewarm" in check.advice
    assert allowed_check(allowed, []).level == "warning"
