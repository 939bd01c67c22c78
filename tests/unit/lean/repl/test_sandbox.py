"""The sandbox: which REPL is confined, with what, and the words where it cannot be. test_hostile has what it holds."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from repl_fakes import FAKE, bench
from sandboxes import attacker, hostile, need_bwrap

from streamverify.core.errors import ReplUnavailable
from streamverify.core.messages.models import Reason
from streamverify.lean.repl import sandbox
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.launch import configured_repl, find_repl, probe
from streamverify.lean.repl.resources import memory_share
from streamverify.lean.repl.sandbox import confine, inside, missing_inside, readable
from streamverify.settings import load_settings

MIB = 1024**2


def lean(*argv: str, cwd: Path | None = None, **env: str) -> ReplCommand:
    return ReplCommand(argv or ("/usr/bin/env",), {"PATH": os.environ["PATH"], **env}, cwd, "lean", wrapped=False)


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def open_to_all(path: Path) -> None:
    """pytest's folders are its user's alone; what is let in must be readable by nobody."""
    path.chmod(0o755)


@pytest.fixture
def no_bwrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def broken_bwrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a container that forbids namespaces."""
    for name, text in (
        ("bwrap", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1"),
        ("setpriv", "exit 1"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


# --- whether -----------------------------------------------------------------------------------------------------


async def test_none_and_the_stand_ins_under_auto_are_left_as_they_are() -> None:
    command = lean()
    assert await confine(command, mode="none") is command
    for name in ("replay", "synthetic"):
        stand_in = await find_repl(name, None)
        assert await confine(stand_in, mode="auto") is stand_in


@pytest.mark.usefixtures("no_bwrap")
async def test_auto_without_bubblewrap_says_that_proofs_run_unconfined(capsys: pytest.CaptureFixture[str]) -> None:
    command = lean()
    assert await confine(command, mode="auto") is command
    said = capsys.readouterr().out
    assert "sandbox_unavailable" in said
    assert "apt-get install bubblewrap" in said


@pytest.mark.usefixtures("no_bwrap")
async def test_asked_for_by_name_and_not_installed_is_a_refusal() -> None:
    with pytest.raises(ReplUnavailable, match="cannot be had: bubblewrap is not installed") as caught:
        await confine(lean(), mode="bwrap")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("broken_bwrap")
async def test_asked_for_by_name_and_forbidden_here_is_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ReplUnavailable, match="No permissions to create new namespace"):
        await confine(lean(), mode="bwrap")
    assert (await confine(lean(), mode="auto")).sandbox == "none"
    assert "No permissions" in capsys.readouterr().out


async def test_a_trial_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("bwrap", "setpriv"):
        (tmp_path / name).write_text("#!/bin/sh\nexec /bin/sleep 600\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox, "TRIAL_TIMEOUT", 0.3)
    with pytest.raises(ReplUnavailable, match="did not end within"):
        await confine(lean(), mode="bwrap")


async def test_auto_confines_a_lean_and_its_verifier_says_so() -> None:
    need_bwrap()
    command = await confine(lean(sys.executable, "-S", "-E", str(FAKE)), mode="auto", read=readings())
    assert (command.sandbox, command.wrapped) == ("bwrap", True)
    assert (await probe(command)).sandbox == "bwrap"


async def test_a_stand_in_is_confined_by_name_and_works() -> None:
    need_bwrap()
    command = await confine(await find_repl("synthetic", None), mode="bwrap")
    assert (await probe(command)).sandbox == "bwrap"
    async with bench(command) as pool:
        assert (await pool.verify("#check 1")).reason is Reason.OK
        assert (await pool.verify("#check 1 -- synthetic: crash")).reason is Reason.REPL_CRASH
        assert (await pool.verify("#check 1 -- synthetic: oom")).reason is Reason.OUT_OF_MEMORY
        assert (await pool.verify("#check 1 -- synthetic: exit=3")).reason is Reason.PROTOCOL_VIOLATION
        assert (await pool.verify("#check 1")).reason is Reason.OK


def readings() -> list[Path]:
    return [Path(sys.prefix), Path(sys.base_prefix), FAKE.parent]


# --- what is let in ----------------------------------------------------------------------------------------------


def test_what_lean_needs_is_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = folder(tmp_path / "home")
    monkeypatch.setenv("HOME", str(home))
    elan, project = folder(home / ".elan"), folder(tmp_path / "project")
    repl = folder(tmp_path / "repl/bin") / "repl"
    repl.touch()
    libraries = [folder(tmp_path / "oleans"), folder(project / ".lake/build/lib")]
    sysroot = folder(tmp_path / "toolchain")
    command = lean(
        str(repl),
        cwd=project,
        LEAN_PATH=os.pathsep.join([*map(str, libraries), "/nowhere", ""]),
        LEAN_SYSROOT=str(sysroot),
    )
    assert set(readable(command)) == {repl.parent, project, elan, libraries[0], sysroot}
    assert set(readable(command, [folder(tmp_path / "more")])) == {*readable(command), tmp_path / "more"}


def test_relative_entries_are_the_projects(tmp_path: Path) -> None:
    project = folder(tmp_path / "project")
    outside = folder(tmp_path / "outside")
    command = lean(cwd=project, LEAN_PATH="../outside:.lake/lib")
    assert {path.resolve() for path in readable(command)} >= {project, outside}


def test_a_link_is_let_in_with_what_it_points_to(tmp_path: Path) -> None:
    real = folder(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    assert set(readable(lean(cwd=tmp_path / "link"))) >= {tmp_path / "link", real}


@pytest.mark.parametrize("place", ["home", "."])
def test_a_repl_that_lies_in_the_home_does_not_let_the_home_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    home = folder(tmp_path / "home")
    monkeypatch.setenv("HOME", str(home))
    repl = tmp_path / place / "repl"
    repl.touch()
    assert readable(lean(str(repl))) == [repl]


def test_the_systems_folders_are_there_once() -> None:
    assert readable(lean("/usr/bin/env", LEAN_PATH="/usr/lib/lean:/usr/lib")) == []


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self", "/dev", "/sys", "/nowhere", "relative"])
async def test_what_would_undo_the_sandbox_is_not_let_in(path: str) -> None:
    need_bwrap()
    with pytest.raises(ReplUnavailable, match="sandbox_read names"):
        await confine(lean(), mode="bwrap", read=[Path(path)])


async def test_settings_cannot_be_read_inside(tmp_path: Path) -> None:
    need_bwrap()
    open_to_all(tmp_path)
    file = tmp_path / "streamverify.toml"
    file.write_text('sasl_password = "hunter2"')
    (tmp_path / "Main.lean").write_text("theorem")
    read = [tmp_path, Path(sys.base_prefix)]
    async with attacker(await confine(hostile(), mode="bwrap", read=read, hide=[file])) as villain:
        assert await villain.attack(f"read {tmp_path}/Main.lean") == "theorem"
        assert await villain.attack(f"read {file}") == "EACCES"


def test_only_what_lean_needs_of_the_environment_is_kept() -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "x", "STREAMVERIFY_SASL_PASSWORD": "x", "HOME": "/root", "PYTHONPATH": "x"}
    wanted = {"LEAN_PATH": "/l", "LEAN_NUM_THREADS": "1", "LAKE": "/lake", "ELAN_TOOLCHAIN": "t", "LANG": "C"}
    confined = inside(replace(lean(), env={**secrets, **wanted}), "/usr/bin/bwrap", None)
    assert confined.env == {**wanted, "HOME": "/tmp"}


@pytest.mark.parametrize(("hard", "set_inside"), [(resource.RLIM_INFINITY, "256"), (100_000, "256"), (100, "100")])
def test_no_more_processes_are_asked_for_than_the_limit_here_leaves(
    hard: int, set_inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shell that asks for more says `Illegal option`, which names no limit.
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    argv = inside(lean("/opt/x/repl"), "/usr/bin/bwrap", None).argv
    assert argv[-2:] == (set_inside, "/opt/x/repl")


def test_the_project_is_where_it_starts(tmp_path: Path) -> None:
    argv = inside(lean(cwd=tmp_path), "/usr/bin/bwrap", None).argv
    assert argv[argv.index("--chdir") + 1] == str(tmp_path)


# --- a start that fails only inside ------------------------------------------------------------------------------


async def test_a_start_that_fails_only_inside_says_what_to_add(tmp_path: Path) -> None:
    need_bwrap()
    open_to_all(tmp_path)
    needed = folder(tmp_path / "lib") / "libneeded"
    needed.touch()
    repl = folder(tmp_path / "bin") / "repl"
    python = f"exec {sys.executable} -S -E {FAKE}"
    repl.write_text(
        f'#!/bin/sh\ncat {needed} || {{ echo "cannot open {needed}: no such file" >&2; exit 1; }}\n{python}\n'
    )
    repl.chmod(0o755)
    command = await confine(lean(str(repl)), mode="bwrap", read=readings())
    with pytest.raises(ReplUnavailable, match="Outside the sandbox it works") as caught:
        await probe(command)
    assert f"STREAMVERIFY_SANDBOX_READ to {needed}" in str(caught.value)
    assert "bwrap --" not in str(caught.value)
    await probe(await confine(lean(str(repl)), mode="bwrap", read=[*readings(), needed.parent]))


async def test_a_repl_that_works_nowhere_is_no_fault_of_the_sandbox() -> None:
    need_bwrap()
    command = await confine(lean(sys.executable, "-S", "-E", str(FAKE), "--broken"), mode="bwrap", read=readings())
    with pytest.raises(ReplUnavailable, match="cannot open shared object") as caught:
        await probe(command)
    assert "Outside" not in str(caught.value)


def test_paths_that_are_missing_inside(tmp_path: Path) -> None:
    library = folder(tmp_path / "libs") / "libx.so"
    library.touch()
    command = inside(lean(cwd=folder(tmp_path / "project")), "/usr/bin/bwrap", None)
    said = f"error: '{library}': no such file; {tmp_path}/project/x /nowhere /usr/lib /tmp /proc/self"
    assert missing_inside(command, said) == [str(library)]
    assert missing_inside(lean(), said) == []


# --- the settings ------------------------------------------------------------------------------------------------


async def test_the_settings_are_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(repl="synthetic", sandbox="none", memory_per_repl="2GiB")
    command = await configured_repl(settings, slots=1)
    assert (command.sandbox, command.limits.memory) == ("none", 2 << 30)
    assert command.env is not None
    assert command.env["LEAN_NUM_THREADS"].isdigit()
    monkeypatch.setenv("LEAN_NUM_THREADS", "7")
    command = await configured_repl(settings, slots=1)
    assert command.env is not None
    assert command.env["LEAN_NUM_THREADS"] == "7"


async def test_the_sandbox_of_the_settings(tmp_path: Path) -> None:
    need_bwrap()
    open_to_all(tmp_path)
    read = os.pathsep.join(map(str, [tmp_path, *readings()]))
    repl = f"{sys.executable} -S -E {FAKE}"
    command = await configured_repl(load_settings(repl=repl, sandbox="bwrap", sandbox_read=read), slots=2)
    assert command.sandbox == "bwrap"
    assert str(tmp_path) in command.argv
    assert command.limits.memory == memory_share(command, 2)
    assert (await probe(command)).sandbox == "bwrap"


def test_the_share_of_memory_is_never_less_than_one_needs() -> None:
    one, many = memory_share(lean(), 1), memory_share(lean(), 100_000)
    assert one is not None
    assert many is not None
    assert one > many == 1 << 30


async def test_whose_fault_an_import_is_follows_from_the_project_also_in_the_sandbox(tmp_path: Path) -> None:
    need_bwrap()
    project = folder(tmp_path / "project")
    open_to_all(tmp_path)
    (project / "lake-manifest.json").write_text('{"name": "mine", "packages": []}')
    modes: tuple[sandbox.SandboxMode, ...] = ("none", "bwrap")
    for mode in modes:
        command = lean(sys.executable, "-S", "-E", str(FAKE), cwd=project, LEAN_PATH=str(project))
        async with bench(await confine(command, mode=mode, read=readings())) as pool:
            # Missing is no package of this project.
            verdict = await pool.verify("import Missing.Module\n#check 1")
            assert (mode, verdict.reason) == (mode, Reason.HEADER_ERROR)
