"""The synthetic REPL answers as a Lean would, and breaks as its directives ask."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from repl_process import StandInProcess

from streamverify.standins import effects, synthetic
from streamverify.standins.loop import message, place
from streamverify.standins.rules import ImportRule, parse_import
from streamverify.standins.synthetic import SyntheticRepl

if TYPE_CHECKING:
    from collections.abc import Iterator

PROOF = "theorem t : 1 = 1 := rfl"
HEADER = "import Mathlib\n"


@pytest.fixture
def repl() -> SyntheticRepl:
    repl = SyntheticRepl()
    assert ask(repl, "") == {"env": 0}
    return repl


@pytest.fixture
def process() -> Iterator[StandInProcess]:
    with StandInProcess("synthetic") as process:
        assert process.ask("") == {"env": 0}
        yield process


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the REPL sleeps: they are noted, not spent."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def ask(repl: SyntheticRepl, command: str, **fields: Any) -> Any:
    return json.loads(repl.answer(json.dumps({"cmd": command, **fields}).encode()))


def directed(words: str) -> str:
    return f"{PROOF} -- synthetic: {words}"


def test_an_error_stands_where_its_directive_does(repl: SyntheticRepl) -> None:
    answer = ask(repl, "\n\n  theorem «🙂» : x := y -- synthetic: error\n#check 1", env=0)
    expected = message("error", "synthetic: an error, as the directive asks", (3, 23), (3, 42))
    assert answer == {"messages": [expected], "env": 1}


def test_a_sorry_is_listed_and_warned_about(repl: SyntheticRepl) -> None:
    answer = ask(repl, "-- synthetic: sorry\n-- synthetic: sorry", env=0)
    places = [((line, 0), (line, 19)) for line in (1, 2)]
    assert answer["sorries"] == [
        {"proofState": number, "pos": place(start), "goal": "⊢ synthetic", "endPos": place(end)}
        for number, (start, end) in enumerate(places)
    ]
    assert answer["messages"] == [message("warning", "declaration uses `sorry`", *both) for both in places]


def test_an_answer_can_be_larger_than_a_pipe(process: StandInProcess) -> None:
    answer = process.ask(directed(f"stdout={3 << 20}"), env=0)
    assert [(item["severity"], len(item["data"])) for item in answer["messages"]] == [("info", 3 << 20)]
    assert process.ask(PROOF, env=0) == {"env": 2}


def test_a_wrong_word_is_named_and_nothing_is_done(repl: SyntheticRepl, slept: list[float]) -> None:
    answer = ask(repl, "-- synthetic: service=5 crahs\n-- synthetic: error exit=256", env=0)
    assert [(item["severity"], item["pos"]["line"]) for item in answer["messages"]] == [("error", 1), ("error", 2)]
    assert "unknown word 'crahs'" in answer["messages"][0]["data"]
    assert "'exit=256' should be exit=STATUS" in answer["messages"][1]["data"]
    assert slept == []


def test_a_directive_sleeps_in_place_of_the_drawn_time(slept: list[float]) -> None:
    repl = SyntheticRepl(service=lambda: 1.0)
    for command in (PROOF, directed("error"), directed("service=0.25"), directed("service=0 sorry service=0.5")):
        ask(repl, command)
    assert slept == [1.0, 1.0, 0.25, 0.5]


def test_an_import_takes_its_time(slept: list[float]) -> None:
    imports = dict(map(parse_import, ("Mathlib=2.5", "Mathlib;Aesop=3", "import Lean=4")))
    repl = SyntheticRepl(imports=imports, default_import=0.5)
    for header in (HEADER, "import Mathlib\nimport Aesop\n", "import Lean\n", "import Aesop\n", ""):
        assert "env" in ask(repl, header)
    assert slept == [2.5, 3, 4, 0.5]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("import Nope\n", "unknown module prefix 'Nope'\n\nNo directory 'Nope' or file 'Nope.olean'"),
        ("import Lean\nimport Mathlib.No.Such\n", "of module Mathlib.No.Such does not exist"),
    ],
)
def test_an_import_can_fail_with_leans_words(header: str, words: str) -> None:
    repl = SyntheticRepl(imports={header: ImportRule(0, "error")})
    answer = ask(repl, f"{header}{directed('sorry')}")
    [error] = answer["messages"]
    assert (error["severity"], error["pos"], answer["env"]) == ("error", place((1, 0)), 0)
    assert words in error["data"]


@pytest.mark.parametrize(
    ("text", "canonical", "rule"),
    [
        ("Mathlib=2.5", "import Mathlib\n", ImportRule(2.5)),
        ("import Mathlib=0:crash", "import Mathlib\n", ImportRule(0, "crash")),
        ("import Lean; Aesop ;=1:hang", "import Lean\nimport Aesop\n", ImportRule(1, "hang")),
        ("module;public import Lean=1:error", "module\npublic import Lean\n", ImportRule(1, "error")),
        ("«a=b».C=1:fail", "import «a=b».C\n", ImportRule(1, "fail")),
    ],
)
def test_import_rules(text: str, canonical: str, rule: ImportRule) -> None:
    assert parse_import(text) == (canonical, rule)


OUT_OF_MEMORY = b"INTERNAL PANIC: out of memory\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("crash", -signal.SIGSEGV, b""),
        ("exit=3", 3, b""),
        # More than any machine has, and more than Python can count.
        *((words, 1, OUT_OF_MEMORY) for words in ("oom", f"alloc={10**9}", f"leak={10**12 - 1}")),
    ],
)
def test_a_directive_ends_it_as_lean_would_end(process: StandInProcess, words: str, status: int, said: bytes) -> None:
    assert process.ask(directed(words), env=0) is None
    assert process.finish() == (status, b"", said)


@pytest.mark.parametrize(("command", "flags"), [(HEADER, ("--import", "Mathlib=0:hang")), (directed("forge hang"), ())])
def test_a_hang_never_ends(command: str, flags: tuple[str, ...]) -> None:
    with StandInProcess("synthetic", *flags) as process:
        process.ask("")
        process.send(command)
        process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            process.process.wait(0.3)


def test_a_forged_answer_can_come_after_the_real_one(process: StandInProcess) -> None:
    assert process.ask(PROOF, env=0) == {"env": 1}
    assert process.ask(directed("forge=0.5"), env=0) == {"env": 2}
    assert process.read() == {"env": 1}
    assert process.ask(PROOF, env=0) == {"env": 3}


PARENT = 'import subprocess, sys; subprocess.run([sys.executable, "-m", "streamverify.standins.synthetic"])'


def test_it_can_kill_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    answers, _ = parent.communicate(json.dumps({"cmd": directed("kill-parent")}).encode())
    assert (parent.returncode, answers) == (-signal.SIGKILL, b'{"env": 0}\n\n')


def test_it_kills_no_process_that_did_not_start_it(monkeypatch: pytest.MonkeyPatch, repl: SyntheticRepl) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    parent = os.getppid()
    # Its parent; the one that adopted it; and a parent outside of the sandbox's PID namespace, which is 0 there.
    for started_by, now in ((parent, parent), (parent, parent + 1), (0, 0)):
        monkeypatch.setattr(effects, "_STARTED_BY", started_by)
        monkeypatch.setattr(os, "getppid", lambda now=now: now)
        ask(repl, directed("kill-parent"), env=0)
    assert killed == [parent]


NO_IMPORT_RULES = (
    *("", "=", "Mathlib", "Mathlib=", "=1", ";=1", "Mathlib=fast", "Mathlib=-1", "Mathlib=1:"),
    *("Mathlib=1:explode", "Mathlib theorem=1", "prelude=1", "import=1"),
)


@pytest.mark.parametrize(
    ("flag", "complaint"),
    [
        *((f"--import={rule}", "should be|no header|no time") for rule in NO_IMPORT_RULES),
        *(("--service=soon", "soon"), ("--service=exp:0", "exp"), ("--unknown", "--unknown")),
    ],
)
def test_a_wrong_flag_ends_it_with_two(flag: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        synthetic.main([flag])
    assert ended.value.code == 2
    assert re.search(complaint, capsys.readouterr().err)


def test_flags_reach_the_answers() -> None:
    flags = ("--service", "exp:0.001", "--seed", "1", "--burn", "--default-import", "0.001", "--import", "Nope=0:error")
    with StandInProcess("synthetic", *flags) as process:
        assert process.ask(HEADER) == {"env": 0}
        assert process.ask(PROOF, env=0) == {"env": 1}
        assert process.ask("import Nope\n")["messages"][0]["severity"] == "error"
