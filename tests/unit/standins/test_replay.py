"""The replay REPL repeats what the real Lean said, and makes nothing up."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from repl_process import HEAVY, StandInProcess, modules_after_import

from streamverify.core.errors import SettingsError
from streamverify.core.syntax.header import body_of, parse_header
from streamverify.standins import replay
from streamverify.standins.recordings import Recordings, load, without
from streamverify.standins.replay import BUNDLED, ReplayRepl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUNDLED_RECORDINGS = [json.loads(line) for line in BUNDLED.read_text(encoding="utf-8").splitlines()]
by_recording = pytest.mark.parametrize(
    "recording", BUNDLED_RECORDINGS, ids=[recording["custom_id"] for recording in BUNDLED_RECORDINGS]
)
"""As a body, Lean of 2021 called these an unexpected end of input; as a file it did not."""
IMPORT_FAILS = "core-034-fail-import"

NO_RECORDING = {"message": "no recording"}
WRONG_ENVIRONMENTS: tuple[Any, ...] = ("0", -1, True, 0.0, [])


@pytest.fixture
def repl() -> ReplayRepl:
    return ReplayRepl(load(BUNDLED))


@pytest.fixture(scope="module")
def process() -> Iterator[StandInProcess]:
    with StandInProcess("replay") as process:
        yield process


def ask(repl: ReplayRepl, command: str, **fields: Any) -> Any:
    return json.loads(repl.answer(json.dumps({"cmd": command, **fields}).encode()))


def messages(answer: dict[str, Any]) -> Any:
    assert "message" not in answer, answer
    return answer.get("messages", [])


def recorded(custom_id: str) -> dict[str, Any]:
    return next(recording for recording in BUNDLED_RECORDINGS if recording["custom_id"] == custom_id)


def a_recording(proof: str, *, header: str = "", error_at: tuple[int, int] | None = None) -> dict[str, Any]:
    """A recording of `proof`, whose header is its first len(header) code points, with or without an error."""
    response: dict[str, Any] = {"env": 0}
    if error_at:
        pos = {"line": error_at[0], "column": error_at[1]}
        response["messages"] = [{"severity": "error", "pos": pos, "endPos": pos, "data": "wrong"}]
    return {
        "proof": proof,
        "file_response": response,
        "header": header,
        "header_response": {"env": 0},
        "header_seconds": 2.0,
        "body": proof[len(header) :],
        "body_response": {"env": 1},
        "body_seconds": 0.5,
    }


def write_recordings(path: Path, *recordings: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(recording) + "\n" for recording in recordings), encoding="utf-8")
    return path


# What a driver may send


@by_recording
def test_header_and_padded_body_get_the_positions_of_the_file(
    process: StandInProcess, recording: dict[str, Any]
) -> None:
    header = parse_header(recording["proof"])
    imported = process.ask(header.canonical)
    assert messages(imported) == recording["header_response"].get("messages", [])

    answer = process.ask(body_of(recording["proof"], header), env=imported["env"])

    expected = messages(without(recording["file_response"], recording["header_response"]))  # type: ignore[arg-type]
    assert messages(answer) == expected
    assert answer["env"] == imported["env"] + 1


@by_recording
def test_a_whole_file_is_answered_as_recorded(process: StandInProcess, recording: dict[str, Any]) -> None:
    assert messages(process.ask(recording["proof"])) == messages(recording["file_response"])


def test_only_the_first_line_of_a_body_moves_sideways(repl: ReplayRepl) -> None:
    proof = "import Lean theorem t : 1 = 2 :=\n  rfl\n"
    recordings = Recordings([a_recording(proof, header="import Lean ", error_at=(1, 20))])
    repl = ReplayRepl(recordings)
    env = ask(repl, "import Lean\n")["env"]

    as_file = ask(repl, " " * 12 + "theorem t : 1 = 2 :=\n  rfl\n", env=env)
    alone = ask(repl, "theorem t : 1 = 2 :=\n  rfl\n", env=env)
    below = ask(repl, "\n\n theorem t : 1 = 2 :=\n  rfl\n", env=env)

    assert as_file["messages"][0]["pos"] == {"line": 1, "column": 20}
    assert alone["messages"][0]["pos"] == {"line": 1, "column": 8}
    assert below["messages"][0]["pos"] == {"line": 3, "column": 9}


def test_a_failed_import_is_answered_with_its_messages(repl: ReplayRepl) -> None:
    recording = recorded(IMPORT_FAILS)

    imported = ask(repl, "import Lean\nimport Does.Not.Exist\n")
    body = ask(repl, recording["body"], env=imported["env"])

    assert [item["data"] for item in imported["messages"]] == [
        "unknown package 'Does'\nYou might need to open '/' as a workspace in your editor"
    ]
    assert [item["data"] for item in body["messages"]] == ["expected token"]


# What has no recording


@pytest.mark.parametrize("command", ["import Mathlib\n", "theorem made_up : 1 = 1 := rfl", "prelude\n"])
def test_no_file_is_made_up(repl: ReplayRepl, command: str) -> None:
    assert ask(repl, command) == NO_RECORDING
    assert ask(repl, "") == {"env": 0}


@pytest.mark.parametrize(
    "command",
    [
        "theorem made_up : 1 = 1 := rfl",
        "import Lean\n",
        '#eval "a nonce"',
        '#print "half a nonce',
        "\t",
        recorded("core-003-curry")["body"],  # recorded, with another header
    ],
)
def test_no_body_is_made_up(repl: ReplayRepl, command: str) -> None:
    assert ask(repl, command, env=ask(repl, "")["env"]) == NO_RECORDING


# The protocol


def test_the_nonce_is_printed_in_any_environment(repl: ReplayRepl) -> None:
    env = ask(repl, "import Lean\n")["env"]

    assert ask(repl, '#print "0123abcd"', env=env) == {
        "messages": [
            {
                "severity": "info",
                "pos": {"line": 1, "column": 0},
                "endPos": {"line": 1, "column": 6},
                "data": "0123abcd",
            }
        ],
        "env": 1,
    }


@pytest.mark.parametrize("env", [0, 7, 2**40])
def test_an_environment_that_is_not_there(env: int) -> None:
    assert ask(ReplayRepl(Recordings()), "theorem", env=env) == {"message": "Unknown environment."}


@pytest.mark.parametrize(
    "block", [b"{", b"nonsense", b'{"cmd": "a', b'{"cmd": "\xff"}', b'{"cmd": "\\ud800"}', b'{"cmd": "a"} {}']
)
def test_what_is_no_json_is_answered_and_survived(block: bytes) -> None:
    repl = ReplayRepl(Recordings())

    assert json.loads(repl.answer(block))["message"].startswith("Could not parse JSON:\n")
    assert ask(repl, "") == {"env": 0}


@pytest.mark.parametrize(
    "command",
    [
        *([], None, 1, "cmd", {}, {"env": 0}, {"cmd": 1}, {"tactic": "rfl", "proofState": 0}),
        *({"cmd": "", "env": env} for env in WRONG_ENVIRONMENTS),
    ],
)
def test_what_is_no_command_is_answered(command: Any) -> None:
    answer = json.loads(ReplayRepl(Recordings()).answer(json.dumps(command).encode()))

    assert answer["message"].startswith("Could not parse as a valid JSON command:\n")


def test_line_breaks_in_a_block_count_for_nothing(process: StandInProcess) -> None:
    process.send_raw(b' {"cmd":  \r\n  "import\n Lean"\n}\n \t\r\n\n\n')
    assert "env" in process.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_word(number: signal.Signals) -> None:
    with StandInProcess("replay") as process:
        process.ask("")
        process.process.send_signal(number)
        assert process.finish() == (-number, b"", b"")


def test_a_reader_that_has_gone_ends_it_without_a_word() -> None:
    with StandInProcess("replay") as process:
        process.ask("")
        process.stdout.close()
        process.send("")
        assert process.process.wait() == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_it_starts_with_little() -> None:
    assert not modules_after_import("replay") & HEAVY


# Flags and files


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = write_recordings(tmp_path / "own.jsonl", a_recording("theorem mine : x\n"))
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    with StandInProcess("replay", str(path)) as process:
        assert process.ask("theorem mine : x\n") == {"env": 0}
        assert process.ask("import Lean\n") == NO_RECORDING


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "2: not JSON"),
        ("[]", "2: a recording is an object"),
        (json.dumps(a_recording("x") | {"body": 1}), "2: the field 'body'"),
        (json.dumps({"proof": "x"}), "2: the field 'file_response'"),
    ],
)
def test_a_line_that_is_no_recording_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = write_recordings(tmp_path / "bad.jsonl", a_recording("theorem mine : x\n"))
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")

    with pytest.raises(SettingsError, match=complaint):
        load(path)


def test_recordings_that_are_not_there_end_it_with_two(tmp_path: Path) -> None:
    with StandInProcess("replay", str(tmp_path / "nowhere.jsonl")) as process:
        status, answers, complaint = process.finish()

    assert (status, answers) == (2, b"")
    assert b"nowhere.jsonl: cannot read the recordings: No such file" in complaint
    assert b"Traceback" not in complaint


@pytest.mark.parametrize("factor", ["-1", "nan", "inf", "fast"])
def test_a_wrong_speed_ends_it_with_two(factor: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        replay.main([f"--speed={factor}"])

    assert ended.value.code == 2
    assert "--speed" in capsys.readouterr().err


@pytest.mark.parametrize(("speed", "slept"), [(0, []), (1, [2.0, 0.5, 2.5]), (10, [0.2, 0.05, 0.25])])
def test_it_takes_the_recorded_time_at_a_speed(
    speed: float, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    proof = "import Lean\ntheorem t : x\n"
    repl = ReplayRepl(Recordings([a_recording(proof, header="import Lean\n")]), speed=speed)

    ask(repl, "import Lean\n")
    ask(repl, "theorem t : x\n", env=0)
    ask(repl, proof)

    assert sleeps == pytest.approx(slept)
