"""What the demo decides before it starts anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from streamverify.cli.demo import (
    Choice,
    audit_without_lean,
    bundled_proofs,
    child_environment,
    choose,
    own_command,
)
from streamverify.core.audit.policy import check
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.errors import ReplUnavailable
from streamverify.core.messages.models import Assurance, ProofResult, Reason, Response, Source, Status, Verifier
from streamverify.core.syntax.header import parse_header
from streamverify.lean.repl import launch
from streamverify.lean.repl.command import ReplCommand


def found(monkeypatch: pytest.MonkeyPatch, command: ReplCommand | None) -> None:
    async def find_repl(*_args: Any) -> ReplCommand:
        if command is None:
            raise ReplUnavailable("none")
        return command

    monkeypatch.setattr(launch, "find_repl", find_repl)


def test_the_proofs_have_ids_of_their_own() -> None:
    proofs = bundled_proofs()
    assert len(proofs) == 42
    assert len({proof.custom_id for proof in proofs}) == 42


async def test_lean_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ReplCommand(argv=("/x/repl",), env=None, cwd=Path("/x/project"), kind="lean", wrapped=False)
    found(monkeypatch, command)
    choice = await choose("auto")
    assert (choice.repl, choice.require) == ("auto", Assurance.AUDITED)
    assert "Lean's own" in choice.words
    assert "/x/project" in choice.words


async def test_without_lean_recordings_answer_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, None)
    choice = await choose("auto")
    assert (choice.repl, choice.require) == ("replay", Assurance.CHECKED)
    for words in ("no Lean", "nothing is checked now", "./setup_lean.sh"):
        assert words in choice.words


async def test_what_is_asked_for_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, None)
    replay, other = await choose("replay"), await choose("my repl")
    assert (replay.repl, other.repl) == ("replay", "my repl")
    assert "As asked, the replay REPL" in replay.words
    assert "nothing is checked now" in replay.words
    assert "my repl" in other.words


def test_the_children_do_not_see_the_settings_for_a_real_kafka() -> None:
    given = {
        "PATH": "/bin",
        "STREAMVERIFY_BOOTSTRAP_SERVERS": "kafka:9092",
        "STREAMVERIFY_SASL_PASSWORD": "x",
        "STREAMVERIFY_LEAN_PROJECT": "here",
        "STREAMVERIFY_SANDBOX": "none",
    }
    made = child_environment(given, Choice("replay", Assurance.CHECKED, ""))
    assert made == {
        "PATH": "/bin",
        "STREAMVERIFY_LEAN_PROJECT": str(Path("here").absolute()),
        "STREAMVERIFY_SANDBOX": "none",
        "STREAMVERIFY_REPL": "replay",
        "STREAMVERIFY_REQUIRE": "checked",
        "STREAMVERIFY_HTTP_PORT": "0",
        "STREAMVERIFY_DRAIN_TIMEOUT": "5",
    }


def checked(proof: str, status: Status = Status.VERIFIED, assurance: Assurance = Assurance.CHECKED) -> ProofResult:
    return ProofResult(
        custom_id="a",
        status=status,
        reason=Reason.OK,
        retriable=False,
        summary="One sentence.",
        response=Response(),
        assurance=assurance,
        findings=check(proof, parse_header(proof), SHIPPED),
        verifier=Verifier(kind="replay"),
        source=Source(topic="t", partition=0, offset=0, timestamp=0),
    )


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        ("axiom cheat (p : Prop) : p\ntheorem t : 1 = 2 := cheat _", "axiom"),
        ("import Lean\n-- nothing", "no_theorem"),
        ("", "no_theorem"),
        ("def f := 1", "no_theorem"),
        ("#eval 1\ntheorem t : True := trivial", "#eval"),
    ],
)
def test_a_cheat_that_was_only_checked_is_said_to_be_one(proof: str, words: str) -> None:
    assert words in str(audit_without_lean(proof, checked(proof)))
    # Of what was audited, or is not verified, there is nothing to add.
    assert audit_without_lean(proof, checked(proof, assurance=Assurance.AUDITED)) is None
    assert audit_without_lean(proof, checked(proof, status=Status.REJECTED)) is None


def test_of_an_honest_theorem_nothing_is_said() -> None:
    for proof in ("theorem t : True := trivial", "import Mathlib\nlemma l : True := trivial"):
        assert audit_without_lean(proof, checked(proof)) is None


def test_every_bundled_proof_that_is_no_theorem_of_its_own_making_is_told_apart() -> None:
    suspects = {
        proof.custom_id
        for proof in bundled_proofs()
        if audit_without_lean(proof.proof, checked(proof.proof)) is not None
    }
    assert {"core-038-axiom-own", "core-051-empty-body", "core-052-comment-only"} <= suspects


def test_the_next_command_can_be_typed_as_it_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = Path(sys.executable).with_name("streamverify")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(ours.parent.parent)
    assert own_command() == f"{ours.parent.name}/streamverify"
    monkeypatch.chdir(tmp_path)
    assert own_command() == str(ours)
    monkeypatch.setenv("PATH", str(ours.parent))
    assert own_command() == "streamverify"
    # Another one of that name is not this one.
    (tmp_path / "streamverify").write_text("#!/bin/sh\n")
    (tmp_path / "streamverify").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_command() == str(ours)
