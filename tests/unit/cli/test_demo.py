"""What the demo decides before it starts anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.cli.demo import bundled_proofs, child_environment, choose
from streamverify.core.errors import ReplUnavailable
from streamverify.lean.repl import launch
from streamverify.lean.repl.command import ReplCommand

if TYPE_CHECKING:
    import pytest


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
    assert choice.repl == "auto"
    assert "Lean's own" in choice.words
    assert "/x/project" in choice.words


async def test_without_lean_recordings_answer_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, None)
    choice = await choose("auto")
    assert choice.repl == "replay"
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
    }
    made = child_environment(given, "replay")
    assert made == {
        "PATH": "/bin",
        "STREAMVERIFY_LEAN_PROJECT": str(Path("here").absolute()),
        "STREAMVERIFY_REPL": "replay",
        "STREAMVERIFY_REQUIRE": "checked",
        "STREAMVERIFY_HTTP_PORT": "0",
        "STREAMVERIFY_DRAIN_TIMEOUT": "5",
    }
