"""What both stand-ins share: the protocol of a REPL in command mode, and how a process of it ends."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from repl_process import HEAVY, StandInProcess, modules_after_import

from streamverify.standins.synthetic import SyntheticRepl

if TYPE_CHECKING:
    from collections.abc import Iterator

STAND_INS = ("replay", "synthetic")


@pytest.fixture(params=STAND_INS)
def process(request: pytest.FixtureRequest) -> Iterator[StandInProcess]:
    with StandInProcess(request.param) as process:
        assert process.ask("") == {"env": 0}
        yield process


def command(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


NO_COMMANDS: tuple[Any, ...] = ([], None, 1, "cmd", {}, {"env": 0}, {"cmd": 1}, {"tactic": "rfl", "proofState": 0})
NO_ENVIRONMENTS: tuple[Any, ...] = ("0", -1, True, 0.0, [])
REFUSED = {
    "Could not parse JSON:\n": (b"{", b"nonsense", b'{"cmd": "a', b'{"cmd": "\xff"}', b'{"cmd": "\\ud800"}', b"{} {}"),
    "Could not parse as a valid JSON command:\n": (
        *(json.dumps(value).encode() for value in NO_COMMANDS),
        *(command(cmd="", env=env) for env in NO_ENVIRONMENTS),
    ),
    "Unknown environment.": (command(cmd="theorem", env=env) for env in (0, 7, 2**40)),
}


@pytest.mark.parametrize(("said", "block"), [(said, block) for said, blocks in REFUSED.items() for block in blocks])
def test_what_cannot_be_run_is_answered_and_survived(said: str, block: bytes) -> None:
    repl = SyntheticRepl()
    assert json.loads(repl.answer(block))["message"].startswith(said)
    assert json.loads(repl.answer(command(cmd=""))) == {"env": 0}


def test_line_breaks_in_a_block_count_for_nothing(process: StandInProcess) -> None:
    process.send_raw(b' {"cmd":  \r\n  "import\n Lean"\n}\n \t\r\n\n\n')
    assert "env" in process.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_word(process: StandInProcess, number: signal.Signals) -> None:
    process.process.send_signal(number)
    assert process.finish() == (-number, b"", b"")


def test_a_reader_that_has_gone_ends_it_without_a_word(process: StandInProcess) -> None:
    process.stdout.close()
    process.send("")
    assert process.process.wait() == -signal.SIGPIPE
    assert process.stderr.read() == b""


@pytest.mark.parametrize("module", STAND_INS)
def test_it_starts_with_little(module: str) -> None:
    assert not modules_after_import(module) & HEAVY
