"""The launcher: the Lean that the other files here ask is a real one, and each file has a process of its own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from oracle import lean435
from oracle.lean435 import VERSION, Leans, NoLean, compile_module, lean

if TYPE_CHECKING:
    from pathlib import Path

TRUE = "prelude\ninductive T : Prop where\n| mk : T\n"


def test_the_command_is_lean(lean_command: Path) -> None:
    said = subprocess.run([lean_command, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"Lean (version {VERSION}, x86_64-unknown-linux-gnu, ")


def test_a_module_is_compiled_and_imported(tmp_path: Path) -> None:
    (tmp_path / "A.lean").write_text(f"{TRUE}theorem foo : T := T.mk\n")
    assert compile_module(tmp_path / "A.lean") == tmp_path / "A.olean"
    (tmp_path / "B.lean").write_text("prelude\nimport A\n#print axioms foo\n")
    done = lean("B.lean", cwd=tmp_path, env={"LEAN_PATH": str(tmp_path)})
    assert done.stdout == "'foo' does not depend on any axioms\n"


def test_a_module_that_does_not_compile_is_shown(tmp_path: Path) -> None:
    (tmp_path / "A.lean").write_text("prelude\n#check nothing\n")
    with pytest.raises(AssertionError, match="nothing"):
        compile_module(tmp_path / "A.lean")


def test_the_fork_server_answers_as_the_program_does(leans: Leans) -> None:
    file = f'{TRUE}axiom a{{0}} : T\n#print axioms a{{0}}\n#print nothing\n#print "end"\n'
    texts = [file.format(number) for number in range(5)]
    for text, run in zip(texts, leans.run_all(texts, "--json"), strict=True):
        (leans.folder / "File0.lean").write_text(text)
        done = lean("--json", "File0.lean", cwd=leans.folder)
        assert (run.status, run.stdout, run.stderr) == (done.returncode, done.stdout, done.stderr)
        assert [each["severity"] for each in run.messages] == ["information", "error", "information"]


def test_several_servers_keep_the_order(tmp_path: Path) -> None:
    with Leans(tmp_path, count=2) as servers:
        runs = servers.run_all([f'prelude\n#print "{number}"\n' for number in range(9)], "--json")
    assert [run.messages[0]["data"] for run in runs] == [str(number) for number in range(9)]


def test_a_crash_of_one_file_is_not_the_next_ones(leans: Leans) -> None:
    deep = "prelude\n#check " + "(" * 200_000
    crashed, fine = leans.run_all([deep, "prelude\n#check Nat\n"], "--json", "-s", "64")
    assert crashed.status < 0
    assert fine.messages[0]["severity"] == "error"


def test_without_the_wheel_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NoLean, match=r"pip install -e '\.\[oracle\]'"):
        lean435.library()
