"""A worker finds which tiers it can reach, with stand-ins for the programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path  # noqa: TC003 -- a fixture's type
from typing import Any

import pytest
import tier_fakes
from repl_fakes import fake, no_process_left  # noqa: F401 -- a fixture
from sandboxes import need_bwrap

from streamverify.core.messages.models import Assurance, Verifier
from streamverify.lean.kernel.reachable_tiers import ReachableTiers, find_reachable_tiers
from streamverify.lean.kernel.step_process import run_step
from streamverify.lean.kernel.step_sandbox import StepSandbox
from streamverify.lean.kernel.tools import Tool
from streamverify.lean.repl.sandbox import confine
from streamverify.settings import Settings

pytestmark = [pytest.mark.usefixtures("no_process_left"), pytest.mark.timeout(120)]

LEAN = Verifier(kind="lean", lean_version="4.99.0")


async def reached(tmp_path: Path, verifier: Verifier = LEAN, **settings: Any) -> ReachableTiers:
    paths: dict[str, Any] = {**tier_fakes.install(tmp_path / "bin"), "replay_store": "none", **settings}
    return await find_reachable_tiers(Settings(**paths), fake(), verifier)


async def test_with_all_programs_every_tier_is_reached(tmp_path: Path) -> None:
    reachable = await reached(tmp_path)
    assert (reachable.tier, reachable.lacks) == (Assurance.CROSS_CHECKED, "")
    assert reachable.tools is not None
    named = [reachable.tools.lean, reachable.tools.exporter, reachable.tools.replayer, reachable.tools.kernel]
    assert [(tool.name, tool.version) for tool in named if tool is not None] == [
        ("lean", "4.99.0"),
        ("olean-export", "0.4.0"),
        ("leanchecker", "4.99.0"),
        ("nanoda", "0.4.10-beta"),
    ]


async def test_before_435_leans_kernel_judges_the_compiled_file_and_the_result_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_LEAN_VERSION", "4.34.1")
    reachable = await reached(tmp_path, Verifier(kind="lean", lean_version="4.34.1"), kernel="none")
    assert (reachable.tier, reachable.lacks) == (Assurance.REPLAYED, "KERNEL is none")
    assert reachable.tier_runner is not None
    found = await reachable.tier_runner.run(tier_fakes.proof("A.t"), Assurance.REPLAYED)
    assert [each.name for each in found.checkers] == ["streamverify", "leanchecker.olean"]
    assert "which is weaker" in found.words
    refused = await reachable.tier_runner.run(tier_fakes.proof("refused_by_leanchecker_t"), Assurance.REPLAYED)
    assert refused.reason == "kernel"


@pytest.mark.parametrize(
    ("settings", "tier", "words"),
    [
        ({"lean": "/nonexistent/lean"}, Assurance.AUDITED, "LEAN: /nonexistent/lean is not there"),
        ({"exporter": "none"}, Assurance.AUDITED, "EXPORTER is none"),
        ({"exporter": "/nonexistent/x"}, Assurance.AUDITED, "EXPORTER: /nonexistent/x is not there"),
        ({"leanchecker": "none"}, Assurance.AUDITED, "LEANCHECKER is none"),
        ({"kernel": "none"}, Assurance.REPLAYED, "KERNEL is none"),
        ({"kernel": '"unclosed'}, Assurance.REPLAYED, 'KERNEL: "unclosed is not there'),
        ({"kernel": "/bin/true"}, Assurance.REPLAYED, "/bin/true does not refuse an ill-typed term"),
        ({"kernel": "/bin/false"}, Assurance.REPLAYED, "declined with exit status 1"),
        ({"leanchecker": "/bin/true"}, Assurance.AUDITED, "/bin/true does not refuse an ill-typed term"),
        ({"exporter": "/bin/false"}, Assurance.AUDITED, "the export of the proof"),
    ],
)
async def test_what_is_missing_or_does_not_work_is_said(
    tmp_path: Path, settings: dict[str, Any], tier: Assurance, words: str
) -> None:
    reachable = await reached(tmp_path, **settings)
    assert reachable.tier is tier
    assert words in reachable.lacks
    assert (reachable.tier_runner is not None) == (tier > Assurance.AUDITED)


async def test_a_compiler_of_another_version_than_the_repls_is_not_used(tmp_path: Path) -> None:
    reachable = await reached(tmp_path, Verifier(kind="lean", lean_version="4.35.0"))
    assert reachable.tier is Assurance.AUDITED
    assert reachable.lacks.endswith("lean is Lean 4.99.0, the REPL's is 4.35.0")


async def test_a_stand_in_for_lean_reaches_checked(tmp_path: Path) -> None:
    assert (await reached(tmp_path, Verifier(kind="synthetic"))).tier is Assurance.CHECKED


async def test_a_step_in_the_sandbox_reads_what_it_is_given_and_writes_nothing(tmp_path: Path) -> None:
    need_bwrap()
    given, other = tmp_path / "given", tmp_path / "other"
    for file in (given, other):
        file.write_text(file.name)
        file.chmod(0o644)
    confined = await confine(fake(), mode="bwrap")
    script = 'cat "$1"; cat "$2" || echo unseen; echo x > "$1" || echo kept; echo t > /tmp/t && cat /tmp/t; cat'
    argv = ("/bin/sh", "-c", script, "sh", str(given), str(other))
    command = StepSandbox(confined).command(argv, read=[given], folder=tmp_path)
    end = await run_step(command, timeout=60, max_output=1000)
    assert end.out.split() == ["givenunseen", "kept", "t"], end.err
    assert given.read_text() == "given"


async def test_a_compilation_in_the_sandbox_reads_the_lean_that_is_named(tmp_path: Path) -> None:
    need_bwrap()
    # The command of that step is a shell, which says nothing of where Lean is.
    folder = tmp_path / "toolchain"
    folder.mkdir()
    lean = folder / "lean"
    lean.write_text('#!/bin/sh\nfor last; do :; done\ncat "$(dirname "$0")/beside"\nprintf x >"$4"\n')
    lean.chmod(0o755)
    (folder / "beside").write_text("seen")
    made = tier_fakes.tier_runner(tmp_path / "bin")
    confined = await confine(fake(), mode="bwrap")
    tools = replace(made.tools, lean=Tool("lean", (str(lean),)), exporter=Tool("olean-export", ("/bin/false",)))
    tier_runner = replace(made, sandbox=StepSandbox(confined), tools=tools)
    found = await tier_runner.run(tier_fakes.proof("t"), Assurance.REPLAYED)
    assert found.words == "the export of the proof: olean-export did not export it"
