"""The driver in recorded sessions with the REPL: it sends what they sent and understands every answer."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from repl_fakes import no_process_left  # noqa: F401 - a fixture
from support import ROOT, recorded_sessions

from streamverify.core.audit.checked import verdict_on_response
from streamverify.core.messages.models import Reason
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.protocol import decode_answer, encode_command, read_response
from streamverify.lean.repl.session import ReplSession

if TYPE_CHECKING:
    from pathlib import Path

    from streamverify.lean.repl.protocol import ReplAnswer

pytestmark = pytest.mark.usefixtures("no_process_left")

PLAYER = ROOT / "tests" / "fakes" / "transcript_repl.py"
SESSIONS = recorded_sessions()
OURS = {"cmd", "env", "infotree", "allTactics"}


def blocks(path: Path) -> list[str]:
    """A file's blocks, as the REPL reads them: the line breaks inside count for nothing."""
    found = re.split(r"\n[ \t]*\n", path.read_text())
    return ["".join(line.rstrip() for line in block.splitlines()) for block in found if block.strip()]


def encoded(command: dict[str, Any]) -> bytes:
    if "cmd" in command and command.keys() <= OURS:
        return encode_command(
            command["cmd"],
            env=command.get("env"),
            infotree=command.get("infotree"),
            all_tactics=command.get("allTactics", False),
        )
    return json.dumps(command).encode() + b"\n\n"


async def play(recorded: Path) -> list[tuple[dict[str, Any], ReplAnswer]]:
    """Hold one session again."""
    expected = recorded.with_name(f"{recorded.stem}.expected.out")
    argv = (sys.executable, "-S", "-E", str(PLAYER), str(recorded), str(expected))
    session = ReplSession(ReplCommand(argv, None, None, "lean", wrapped=False), max_answer_bytes=1 << 20)
    try:
        commands = [json.loads(block) for block in blocks(recorded)]
        return [(command, decode_answer(await session.ask(encoded(command), 20.0))) for command in commands]
    finally:
        await session.close()


@pytest.mark.parametrize("recorded", SESSIONS, ids=lambda path: path.stem)
async def test_a_recorded_session(recorded: Path) -> None:
    for command, answer in await play(recorded):
        if answer.refusal is not None:
            assert answer.env is None
            assert answer.fields.get("proofState") is None
        elif "tactic" in command or "unpickleProofStateFrom" in command:
            assert isinstance(answer.fields.get("proofState"), int)
            assert answer.fields["goals"] is not None
        elif answer.env is not None:
            check_response(answer)


def check_response(answer: ReplAnswer) -> None:
    response = read_response(answer, 0.5)
    assert response.env == answer.env
    for field in ("messages", "sorries", "tactics", "infotree"):
        assert getattr(response, field) == answer.fields.get(field, None if field == "infotree" else [])
    errors = [each for each in response.messages if each["severity"] == "error"]
    warned = any("declaration uses" in each["data"] for each in response.messages)
    expected = Reason.LEAN_ERROR if errors else Reason.SORRY if response.sorries or warned else Reason.OK
    assert verdict_on_response(response).reason is expected


def test_there_are_sessions() -> None:
    assert len(SESSIONS) >= 4
