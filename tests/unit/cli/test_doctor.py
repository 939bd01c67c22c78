"""What doctor makes of what it finds."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support import ROOT
from typer.testing import CliRunner

from streamverify.cli import doctor
from streamverify.cli.app import make_app
from streamverify.cli.doctor import (
    Check,
    allowed_check,
    cores_check,
    files_check,
    header_check,
    memory_check,
    processes_check,
    python_check,
    repl_checks,
    reservations_check,
    sandbox_check,
    tiers_check,
    topic_check,
)
from streamverify.core.audit.vocabulary import Trusted, Vocabulary
from streamverify.core.messages.models import Assurance, Verifier
from streamverify.core.syntax.header import parse_header
from streamverify.core.topic_plans import TopicState
from streamverify.lean.kernel.reachable_tiers import ReachableTiers
from streamverify.lean.kernel.tools import Tool, Tools
from streamverify.lean.repl import resources
from streamverify.lean.repl.resources import plan_slots
from streamverify.lean.warm_headers import HeaderTrial
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3
MIB = 1024**2
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


def test_mapped_libraries_are_no_repls() -> None:
    assert memory_check(plan_slots(4, 4 * GIB, 4, 16 * GIB)).level == "ok"
    check = memory_check(plan_slots(4, 4 * GIB, 4, 16 * GIB, shared=GIB))
    assert (check.level, "--slots 3" in check.advice) == ("warning", True)
    assert "1 GiB for the worker and mapped libraries" in check.found


def test_headers_of_prewarm_are_told_with_what_they_take() -> None:
    header = parse_header("import Mathlib\nimport Aesop\n")
    check = header_check(header, HeaderTrial(12.34, 512 << 20, None), 4 * GIB)
    found = "imported in 12.3 s, 512 MiB of private memory of 4096 MiB"
    assert check == Check("import Mathlib; import Aesop", "ok", found)
    assert header_check(header, HeaderTrial(1.0, 512 << 20, None), GIB - 1).level == "warning"
    assert header_check(header, HeaderTrial(1.0, 512 << 20, None), None).level == "ok"
    failed = header_check(header, HeaderTrial(1.0, 0, "No such module."), GIB)
    assert (failed.level, failed.advice) == ("missing", "No such module.")
    assert header_check(parse_header(""), HeaderTrial(1.0, 0, None), None).name == "a blank header"


async def test_doctor_starts_what_is_configured_and_imports_what_is_to_be_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = f"{sys.executable} -S -E {ROOT / 'tests' / 'fakes' / 'fake_repl.py'}"
    settings = load_settings(repl=fake, sandbox="none", prewarm="Mathlib; Missing.Module")
    checks = {check.name: check for check in (await doctor._repl(settings))[0]}
    assert checks["import Mathlib"].level == "ok"
    assert checks["import Missing.Module"].level == "missing"
    # The limit is the real one, so that one too small for the REPL itself is found, and said.
    small = load_settings(repl=fake, sandbox="none", memory_per_repl="64MiB")
    monkeypatch.setattr("streamverify.lean.repl.launch.memory_share", lambda *_: MIB)
    [check] = (await doctor._repl(small.model_copy(update={"memory_per_repl": "auto"})))[0]
    assert (check.level, "set STREAMVERIFY_MEMORY_PER_REPL" in check.advice) == ("missing", True)


def test_stdout_has_the_checks_and_nothing_else() -> None:
    repl = f"{sys.executable} -S -E {ROOT / 'tests' / 'fakes' / 'fake_repl.py'}"
    words = ("doctor", "--json", "--repl", repl, "--bootstrap-servers", "127.0.0.1:1")
    # A sandbox that is there, or one that is not, is logged.
    done = subprocess.run(
        (sys.executable, "-m", "streamverify", *words), capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert json.loads(done.stdout)["able"] is False
    assert "sandbox" in done.stderr


def test_limits_on_what_is_only_reserved_are_warned_about() -> None:
    assert reservations_check([]).level == "ok"
    check = reservations_check(["4 GiB of data (ulimit -d unlimited)"])
    assert (check.level, "ulimit -d" in check.advice) == ("warning", True)


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
    any_lean = load_settings(min_lean_version="any")
    assert [check.level for check in repl_checks(MATHLIB, any_lean)] == ["ok", "warning", "ok"]
    new = MATHLIB.model_copy(update={"lean_version": "4.35.0"})
    assert [check.level for check in repl_checks(new, load_settings())] == ["ok", "ok", "ok"]
    assert [check.level for check in repl_checks(LEAN, any_lean)] == ["ok", "warning", "warning"]
    [check] = repl_checks(Verifier(kind="replay"), load_settings(require="checked"))
    assert (check.level, "not Lean's" in check.advice) == ("warning", True)


@pytest.mark.parametrize("kind", ["replay", "synthetic"])
@pytest.mark.parametrize("setting", [{}, {"require": "audited"}, {"require": "checked", "require_min": "audited"}])
def test_a_stand_in_where_every_proof_would_be_unsupported_means_that_no_worker_could_serve(
    kind: str, setting: dict[str, Any]
) -> None:
    [check] = repl_checks(Verifier(kind=kind), load_settings(**setting))
    assert (check.level, "every proof would be `unsupported`" in check.found) == ("missing", True)
    assert "STREAMVERIFY_REQUIRE=checked" in check.advice


def test_a_lean_that_is_too_old_means_that_no_worker_could_run() -> None:
    old = Verifier(kind="lean", lean_version="4.33.0", mathlib_version="v4.33.0")
    check = next(check for check in repl_checks(old, load_settings()) if check.name == "Lean")
    assert (check.level, check.found) == ("missing", "version 4.33.0")
    assert "at least 4.34.1, and this one is 4.33.0" in check.advice


@pytest.mark.parametrize(
    ("verifier", "level", "found"),
    [
        (Verifier(kind="lean", sandbox="none"), "warning", "none"),
        (Verifier(kind="lean", sandbox="bwrap"), "ok", "bwrap"),
        (Verifier(kind="replay", sandbox="none"), "ok", "none (a stand-in runs no code of a proof)"),
    ],
)
def test_the_sandbox_is_said_once(verifier: Verifier, level: str, found: str) -> None:
    check = sandbox_check(verifier)
    assert (check.name, check.level, check.found) == ("sandbox", level, found)


def test_without_a_repl_no_memory_is_planned_for_it() -> None:
    check = memory_check(plan_slots(None, 64 * MIB, 4, 16 * GIB), repl_found=False)
    assert (check.level, check.found.startswith("16.0 GiB; "), "planned" in check.found) == ("ok", True, False)


@pytest.mark.parametrize(
    ("levels", "says", "code"),
    [
        (["ok", "ok"], "A worker could run here.", 0),
        (["ok", "warning"], "A worker could run here. See the warning above.", 0),
        (["warning", "warning"], "A worker could run here. See the 2 warnings above.", 0),
        (["warning", "missing"], "A worker could not serve here yet.", 4),
    ],
)
def test_the_last_line_is_content_only_where_all_is_well(
    monkeypatch: pytest.MonkeyPatch, levels: list[Any], says: str, code: int
) -> None:
    async def examined(_settings: Any) -> list[Check]:
        return [Check("it", level, "found") for level in levels]

    monkeypatch.setattr(doctor, "examine", examined)
    done = CliRunner().invoke(make_app(["doctor"]), ["doctor"])
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (code, says)


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
    shown = runner.invoke(make_app(["doctor"]), ["doctor"])
    assert shown.exit_code == code
    assert shown.stdout.splitlines()[0].split() == [level, "REPL:", "[x]"]
    assert [line.strip() for line in shown.stdout.splitlines()[1:3]] == ["do this", "and that"]
    found = json.loads(runner.invoke(make_app(["doctor"]), ["doctor", "--json"]).stdout)
    assert found["able"] is (code == 0)
    assert found["checks"][0]["level"] == level


def test_the_pids_limit_of_a_container(tmp_path: Path) -> None:
    write(tmp_path / "proc", **{"self/cgroup": "0::/\n"})
    write(tmp_path / "cg", **{"pids.max": "7\n"})
    assert resources.process_limit(tmp_path / "proc", tmp_path / "cg") == 7


def test_the_words_of_policy_allow_must_be_known_to_a_header() -> None:
    allowed = Trusted.parse("command:problem_file attribute:coe option:google.answer")
    known = Vocabulary(frozenset({"problem_file"}), frozenset({"coe"}), frozenset({"pp.all"}))
    more = Vocabulary(frozenset({"theorem"}), frozenset({"simp"}), frozenset({"google.answer"}))
    assert allowed_check(allowed, [known, more]).level == "ok"
    check = allowed_check(allowed, [known])
    assert (check.level, check.found.rpartition(" ")[2]) == ("warning", "option:google.answer")
    assert "PREWARM" in check.advice
    assert allowed_check(allowed, []).level == "warning"


async def test_the_store_of_the_cache_is_tried(tmp_path: Path) -> None:
    key: dict[str, Any] = {"cache_key": "0123456789abcdef"}
    assert await doctor._cache(load_settings()) == []
    [memory] = await doctor._cache(load_settings(cache="memory"))
    [there] = await doctor._cache(load_settings(cache=f"sqlite:{tmp_path}/cache.db", **key))
    assert (memory.level, there.level) == ("ok", "ok")
    (tmp_path / "file").write_text("")
    [broken] = await doctor._cache(load_settings(cache=f"sqlite:{tmp_path}/file/cache.db", **key))
    [away] = await doctor._cache(load_settings(cache="redis://:hidden@127.0.0.1:1", **key))
    assert (broken.level, away.level) == ("warning", "warning"), "a worker runs without it, too"
    assert "hidden" not in f"{away}"
    [wrong] = await doctor._cache(load_settings(cache="redis://127.0.0.1:many", **key))
    assert wrong.level == "missing"


TOOLS = Tools(
    exporter=Tool("olean-export", ("x",), "0.4.0"),
    replayer=Tool("leanchecker", ("x",), "4.35.0"),
    kernel=Tool("nanoda", ("x",), "0.4.10"),
)


@pytest.mark.parametrize(
    ("tier", "setting", "level"),
    [
        (Assurance.AUDITED, {}, "ok"),
        (Assurance.AUDITED, {"require": "replayed"}, "missing"),
        (Assurance.AUDITED, {"require_min": "cross_checked"}, "missing"),
        (Assurance.AUDITED, {"upgrade": "replayed"}, "missing"),
        (Assurance.REPLAYED, {"require": "replayed", "upgrade": "replayed"}, "ok"),
        (Assurance.REPLAYED, {"upgrade": "cross_checked"}, "missing"),
        (Assurance.CROSS_CHECKED, {"require": "cross_checked"}, "ok"),
    ],
)
def test_the_tiers_that_can_be_reached_are_said_and_why_no_more(
    tier: Assurance, setting: dict[str, Any], level: str
) -> None:
    lacks = "" if tier is Assurance.CROSS_CHECKED else "no kernel is installed"
    check = tiers_check(ReachableTiers(tier, lacks, tools=TOOLS), load_settings(**setting))
    assert (check.name, check.level) == ("tiers", level)
    assert f"up to {tier}" in check.found
    assert lacks in check.found
    assert ("nanoda 0.4.10" in check.found) == (tier > Assurance.AUDITED)
    assert (check.advice != "") == (level == "missing")
