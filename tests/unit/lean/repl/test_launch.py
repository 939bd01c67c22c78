"""Finding a REPL by its setting, and seeing whether it works."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from repl_fakes import FAKE, fake, no_process_left  # noqa: F401 - a fixture

from streamverify.core.errors import ReplUnavailable
from streamverify.lean.repl import launch
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.launch import find_repl, install_record, known_as, probe
from streamverify.lean.repl.sandbox import inside

pytestmark = [pytest.mark.usefixtures("no_process_left")]


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STREAMVERIFY_LEAN_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def record(data_home: Path, **changes: object) -> Path:
    """An installation as `setup_lean.sh` leaves it."""
    home = data_home / "streamverify" / "lean"
    project = home / "project"
    project.mkdir(parents=True)
    installed = {
        "repl": str(script(home / "repl", f'exec {sys.executable} -S -E {FAKE} "$@"')),
        "project": str(project),
        "env": {"LEAN_PATH": "/lib/lean"},
        "lean_version": "4.33.0",
        "repl_version": "v4.33.0",
        "mathlib_version": None,
    }
    (home / "install.json").write_text(json.dumps(installed | changes))
    return project


async def test_auto_starts_what_was_installed(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAN_SYSROOT", "/another/lean")
    monkeypatch.setenv("STREAMVERIFY_SASL_PASSWORD", "secret")
    project = record(data_home)
    command = await find_repl("auto", None)
    assert (command.cwd, command.kind, command.wrapped) == (project, "lean", False)
    assert command.env is not None
    assert command.env["LEAN_PATH"] == "/lib/lean"
    assert not command.env.keys() & {"LEAN_SYSROOT", "STREAMVERIFY_SASL_PASSWORD"}
    assert (command.repl_version, command.mathlib_version) == ("v4.33.0", None)
    verifier = await probe(command)
    assert (verifier.kind, verifier.lean_version, verifier.repl_version) == ("lean", "4.99.0", "v4.33.0")


@pytest.mark.parametrize("setting", ["auto", f"{shlex.quote(sys.executable)} -S -E {shlex.quote(str(FAKE))}"])
async def test_every_lean_aborts_where_it_panics(data_home: Path, setting: str) -> None:
    """Also inside the sandbox, which keeps Lean's variables; see docs/decisions/0011."""
    record(data_home, env={"LEAN_PATH": "/lib/lean", "LEAN_ABORT_ON_PANIC": ""})
    command = await find_repl(setting, None)
    confined = inside(command, "/usr/bin/bwrap", None).env
    assert command.env is not None
    assert confined is not None
    assert command.env["LEAN_ABORT_ON_PANIC"] == confined["LEAN_ABORT_ON_PANIC"] == "1"


async def test_auto_with_nothing_installed_says_how_to_get_one(data_home: Path) -> None:
    with pytest.raises(ReplUnavailable) as caught:
        await find_repl("auto", None)
    text = str(caught.value)
    assert all(word in text for word in (str(data_home), "./setup_lean.sh", "replay", "synthetic"))


async def test_the_folder_of_setup_lean_can_be_named(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install_record() == data_home / "streamverify" / "lean" / "install.json"
    monkeypatch.setenv("STREAMVERIFY_LEAN_HOME", "/opt/lean-home")
    assert str(install_record()) == "/opt/lean-home/install.json"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"repl": 1, "project": 2}', "\xff"])
async def test_a_damaged_record_is_named(data_home: Path, text: str) -> None:
    file = data_home / "streamverify" / "lean" / "install.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ReplUnavailable, match=r"install\.json cannot be read"):
        await find_repl("auto", None)


async def test_an_installation_that_is_gone_is_named(data_home: Path) -> None:
    record(data_home, repl="/gone/repl")
    with pytest.raises(ReplUnavailable, match="/gone/repl"):
        await find_repl("auto", None)


async def test_stand_ins_by_name(tmp_path: Path) -> None:
    replay = await find_repl("replay", None)
    assert (replay.kind, replay.argv) == ("replay", (sys.executable, "-m", "streamverify.standins.replay"))
    file = tmp_path / "a file.jsonl"
    file.touch()
    assert (await find_repl(f"replay:{file}", None)).argv[-1] == str(file)
    synthetic = await find_repl("synthetic --service '0.01' --burn", None)
    assert (synthetic.kind, synthetic.argv[-3:]) == ("synthetic", ("--service", "0.01", "--burn"))
    with pytest.raises(ReplUnavailable, match=r"nowhere\.jsonl are not there"):
        await find_repl("replay:nowhere.jsonl", None)


@pytest.mark.parametrize("setting", ["synthetic", "replay"])
async def test_stand_ins_work(setting: str) -> None:
    verifier = await probe(await find_repl(setting, None))
    assert (verifier.kind, verifier.lean_version) == (setting, None)


@pytest.mark.parametrize("kind", ["synthetic", "replay"])
@pytest.mark.parametrize("start", ["{python} -m streamverify.standins.{kind}", "{script}"])
async def test_a_stand_in_given_as_a_command_line_is_a_stand_in(tmp_path: Path, kind: str, start: str) -> None:
    script = tmp_path / "my repl"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -m streamverify.standins.{kind}\n")
    script.chmod(0o755)
    setting = start.format(python=shlex.quote(sys.executable), kind=kind, script=shlex.quote(str(script)))
    command = await find_repl(setting, None)
    verifier = await probe(command)
    assert (verifier.kind, verifier.lean_version) == (kind, None)
    assert (command.kind, known_as(command, verifier).kind) == ("lean", kind)


@pytest.mark.parametrize("kind", ["synthetic", "replay"])
async def test_the_executable_of_a_stand_in_is_known_before_it_is_asked(kind: str) -> None:
    command = await find_repl(str(Path(sys.executable).with_name(f"streamverify-{kind}-repl")), None)
    assert (command.kind, (await probe(command)).kind) == (kind, kind)


@pytest.mark.parametrize("flag", ["--unversioned", "--version=nightly", "--version=streamverify stand-in: other"])
async def test_what_names_no_version_of_lean_and_is_no_stand_in_is_refused(flag: str) -> None:
    with pytest.raises(ReplUnavailable, match="does not name the version of its Lean") as caught:
        await probe(fake(flag))
    assert str(caught.value).count("\n") == 0


async def test_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMVERIFY_SASL_PASSWORD", "secret")
    command = await find_repl(f"{shlex.quote(sys.executable)} -S -E {shlex.quote(str(FAKE))} --flag", None)
    assert (command.argv[0], command.argv[-1]) == (sys.executable, "--flag")
    assert (command.kind, command.wrapped, command.cwd) == ("lean", True, None)
    assert command.env is not None
    assert "STREAMVERIFY_SASL_PASSWORD" not in command.env
    assert (await probe(command)).lean_version == "4.99.0"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("/nowhere/repl", "/nowhere/repl is not there"),
        ("no-such-repl-on-the-path", "not on the PATH"),
        ("", "is empty"),
        ("'unfinished", "no command line"),
        ("lake env", "add the path"),
        ("/etc/passwd", "cannot be executed"),
    ],
)
async def test_a_command_line_that_cannot_be_started_says_why(setting: str, words: str) -> None:
    with pytest.raises(ReplUnavailable, match=words):
        await find_repl(setting, None)


async def test_lake_is_asked_once_for_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "bin/lake", 'echo asked >> "$PWD/asked"; shift; LEAN_PATH="a b=c\n/d" exec "$@"')
    project = tmp_path / "project"
    repl = script(project / "repl", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for setting in ("./repl -x", "lake env ./repl -x", f"lake env {repl} -x"):
        command = await find_repl(setting, project)
        assert command.argv == (str(repl), "-x")
        assert command.cwd == project
        assert command.env is not None
        assert command.env["LEAN_PATH"] == "a b=c\n/d"
    assert (project / "asked").read_text() == "asked\n" * 3


@pytest.mark.parametrize(
    ("lake", "words"), [("echo no manifest >&2; exit 1", "failed: no manifest"), ("sleep 60", "did not end within")]
)
async def test_a_lake_that_does_not_work_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake: str, words: str
) -> None:
    monkeypatch.setattr(launch, "LAKE_TIMEOUT", 1.0)
    script(tmp_path / "bin/lake", lake)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(ReplUnavailable, match=words):
        await find_repl("cat", tmp_path)


async def test_without_lake_or_project_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReplUnavailable, match="`lake` is not on the PATH"):
        await find_repl("lake env repl", tmp_path)
    with pytest.raises(ReplUnavailable, match="STREAMVERIFY_LEAN_PROJECT"):
        await find_repl("repl", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (fake("--broken"), "exit status 127: cannot open shared object"),
        (ReplCommand(("/bin/cat",), None, None, "lean", wrapped=False), "does not work"),
        (ReplCommand(("/bin/true",), None, None, "lean", wrapped=False), "exit status 0"),
        (ReplCommand(("/bin/sleep", "600"), None, None, "lean", wrapped=False), "did not answer in time"),
        (ReplCommand(("/nowhere",), None, None, "lean", wrapped=False), "cannot be started"),
    ],
)
async def test_what_does_not_answer_as_a_repl_is_refused(
    monkeypatch: pytest.MonkeyPatch, command: ReplCommand, words: str
) -> None:
    monkeypatch.setattr(launch, "PROBE_TIMEOUT", 1.0)
    with pytest.raises(ReplUnavailable, match=words):
        await probe(command)
