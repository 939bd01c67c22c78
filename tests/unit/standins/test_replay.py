"""The replay REPL repeats what the real Lean said, and makes nothing up."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from repl_process import StandInProcess
from support import made_recording

from streamverify.core.errors import SettingsError
from streamverify.core.syntax.header import body_of, parse_header
from streamverify.standins import replay
from streamverify.standins.recordings import Recordings, load, without
from streamverify.standins.replay import BUNDLED, ReplayRepl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDINGS = {it["custom_id"]: it for it in map(json.loads, BUNDLED.read_text(encoding="utf-8").splitlines())}
NO_RECORDING = {"message": "no recording"}


@pytest.fixture(scope="module")
def process() -> Iterator[StandInProcess]:
    with StandInProcess("replay") as process:
        yield process


def ask(repl: ReplayRepl, command: str, **fields: Any) -> Any:
    return json.loads(repl.answer(json.dumps({"cmd": command, **fields}).encode()))


def messages(answer: dict[str, Any]) -> Any:
    assert "message" not in answer, answer
    return answer.get("messages", [])


@pytest.mark.parametrize("custom_id", RECORDINGS)
def test_a_file_is_answered_as_it_was_recorded_whole_and_as_header_and_body(
    process: StandInProcess, custom_id: str
) -> None:
    recording = RECORDINGS[custom_id]
    header = parse_header(recording["proof"])
    imported = process.ask(header.canonical)
    answer = process.ask(body_of(recording["proof"], header), env=imported["env"])

    assert messages(imported) == recording["header_response"].get("messages", [])
    # The positions are those of the file, which the padding of the body keeps.
    assert messages(answer) == messages(dict(without(recording["file_response"], recording["header_response"])))
    assert answer["env"] == imported["env"] + 1
    assert messages(process.ask(recording["proof"])) == messages(recording["file_response"])


@pytest.mark.parametrize(("before", "line", "column"), [(" " * 12, 1, 20), ("", 1, 8), ("\n\n ", 3, 9)])
def test_only_the_first_line_of_a_body_moves_sideways(before: str, line: int, column: int) -> None:
    proof = "import Lean theorem t : 1 = 2 :=\n  rfl\n"
    repl = ReplayRepl(Recordings([made_recording(proof, header="import Lean ", error_at=(1, 20))]))
    env = ask(repl, "import Lean\n")["env"]
    answer = ask(repl, f"{before}theorem t : 1 = 2 :=\n  rfl\n", env=env)
    assert answer["messages"][0]["pos"] == {"line": line, "column": column}


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        *((file, {}) for file in ("import Mathlib\n", "theorem made_up : 1 = 1 := rfl", "prelude\n")),
        *((body, {"env": 0}) for body in ("theorem made_up : 1 = 1 := rfl", "import Lean\n", '#eval "a nonce"')),
        *((body, {"env": 0}) for body in ('#print "half a nonce', "\t")),
        # It was recorded with another header.
        (RECORDINGS["core-003-curry"]["body"], {"env": 0}),
    ],
)
def test_no_answer_is_made_up(command: str, fields: dict[str, Any]) -> None:
    repl = ReplayRepl(load(BUNDLED))
    assert ask(repl, "") == {"env": 0}
    assert ask(repl, command, **fields) == NO_RECORDING
    assert ask(repl, "") == {"env": 1}


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(made_recording("theorem mine : x\n")) + "\n\n", encoding="utf-8")
    with StandInProcess("replay", str(path)) as process:
        assert process.ask("theorem mine : x\n") == {"env": 0}
        assert process.ask("import Lean\n") == NO_RECORDING


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "2: not JSON"),
        ("[]", "2: a recording is an object"),
        (json.dumps(made_recording("x") | {"body": 1}), "2: the field 'body'"),
        (json.dumps({"proof": "x"}), "2: the field 'file_response'"),
    ],
)
def test_a_line_that_is_no_recording_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{json.dumps(made_recording('theorem mine : x'))}\n{line}", encoding="utf-8")
    with pytest.raises(SettingsError, match=complaint):
        load(path)


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("nowhere.jsonl", "nowhere.jsonl: cannot read the recordings: No such file"),
        *((f"--speed={factor}", "--speed") for factor in ("-1", "nan", "inf", "fast")),
    ],
)
def test_a_wrong_argument_ends_it_with_two(argument: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        sys.exit(replay.main([argument]))
    out, err = capsys.readouterr()
    assert (ended.value.code, out, complaint in err) == (2, "", True)


@pytest.mark.parametrize(("speed", "slept"), [(0, []), (1, [2.0, 0.5, 2.5]), (10, [0.2, 0.05, 0.25])])
def test_it_takes_the_recorded_time_at_a_speed(
    speed: float, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    proof = "import Lean\ntheorem t : x\n"
    repl = ReplayRepl(Recordings([made_recording(proof, header="import Lean\n")]), speed=speed)
    ask(repl, "import Lean\n")
    ask(repl, "theorem t : x\n", env=0)
    ask(repl, proof)
    assert sleeps == pytest.approx(slept)
