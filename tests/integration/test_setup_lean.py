"""setup_lean.sh, with stand-ins for git, curl, elan, lean and lake: what it calls, keeps, and says."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from streamverify.lean.kernel.tools import find_program
from streamverify.lean.repl.launch import find_repl
from streamverify.settings import Settings

SCRIPT = ROOT / "setup_lean.sh"
SYSTEM_TOOLS = ("bash", "sh", "env", "mkdir", "cat", "tee", "grep", "sed", "mv", "rm", "cp", "chmod")
OTHER_TOOLS = ("touch", "flock", "tar", "sleep")

# Each notes how it was called, then fails if a file `fail-<call>` says how: exit status, then what to print.
PREAMBLE = """#!/bin/sh
call="${0##*/} $*"
echo "$call" >> "$STUBS/calls"
for failure in "$STUBS"/fail-*; do
    case "$call" in "${failure#"$STUBS"/fail-}"*) sed 1d "$failure" >&2; exit "$(sed 1q "$failure")";; esac
done
"""
GIT = """
case "$1" in
    ls-remote) for tag in "$@"; do :; done; [ ! -e "$STUBS/no-tag-${tag##*/}" ] || exit 2 ;;
    clone) while [ $# -gt 1 ]; do shift; done; mkdir -p "$1" ;;
    --git-dir=*) [ -e "${1#--git-dir=}/HEAD" ] ;;
esac
"""
CURL = """
while [ "$1" != -o ]; do shift; done
printf 'mkdir -p "$ELAN_HOME/bin" && cp "$STUBS"/elan-bin/* "$ELAN_HOME/bin"\\n' > "$2"
"""
ELAN = """
case "$2" in
    list) cat "$STUBS/toolchains" 2> /dev/null || echo 'no installed toolchains' ;;
    install) echo "$3" >> "$STUBS/toolchains" ;;
esac
"""
LEAN = """
echo "Lean (version ${ELAN_TOOLCHAIN#*:v}, x86_64-unknown-linux-gnu, commit 0123456789ab, Release)"
"""
LAKE = """
case "$1" in
    build) mkdir -p .lake/build/bin && cp "$STUBS/repl" .lake/build/bin/repl ;;
    update)
        echo "$MATHLIB_NO_CACHE_ON_UPDATE" > "$STUBS/no-cache-on-update"
        mkdir -p .lake/packages/mathlib/.git && touch .lake/packages/mathlib/.git/HEAD
        [ ! -e "$STUBS/mathlib-toolchain" ] || cp "$STUBS/mathlib-toolchain" lean-toolchain ;;
    env) shift; LEAN_PATH="$PWD/lib" LEAN_SYSROOT='/a "quoted" place' PATH="/lake:$PATH" exec "$@" ;;
esac
"""
CARGO = """
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin"
case "$*" in *olean-export@*) made=olean-export ;; *) made=nanoda_bin ;; esac
cp "$STUBS/tool" "$2/bin/$made"
"""
REPL = """
import json, os, sys
assert os.environ["LEAN_SYSROOT"] == '/a "quoted" place', "not started in Lean's environment"
assert "ELAN_SPARE" not in os.environ
for number, block in enumerate(filter(None, sys.stdin.read().split("\\n\\n"))):
    command = json.loads(block)
    messages = [{"severity": "error", "data": "no"}] if ANSWER(command["cmd"]) else []
    print(json.dumps({"env": number, "messages": messages}) + "\\n")
"""


@dataclass
class Machine:
    """A machine of stand-ins, and the script run on it."""

    root: Path

    @property
    def stubs(self) -> Path:
        return self.root / "stubs"

    @property
    def target(self) -> Path:
        return self.root / "lean home"

    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.root / "bin"), "HOME": str(self.root), "STUBS": str(self.stubs), "LANG": "C.UTF-8"}

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), *(("--dir", str(self.target)) if "XDG_DATA_HOME" not in extra else ()), *arguments],
            env=self.environment() | extra,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def calls(self) -> list[str]:
        """What was called since the last look, without what only looks."""
        file = self.stubs / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        looks = ("elan toolchain list", "lean --version", "lake env", "git --git-dir", "git ls-remote")
        return [line for line in lines if not line.startswith(looks)]

    def fail(self, call: str, status: int, says: str) -> None:
        (self.stubs / f"fail-{call}").write_text(f"{status}\n{says}\n")

    def mend(self) -> None:
        for file in self.stubs.glob("fail-*"):
            file.unlink()

    def repl_rejects(self, condition: str) -> None:
        """Make the REPL that is built next reject where `condition` over `text` holds."""
        repl = REPL.replace("ANSWER", f"(lambda text: {condition})")
        (self.stubs / "repl.py").write_text(repl)
        (self.stubs / "repl").write_text('#!/bin/sh\nexec python3 "$STUBS/repl.py"\n')
        (self.stubs / "repl").chmod(0o755)

    def installed(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.target / "install.json").read_text())
        return record


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    for folder in ("bin", "stubs", "stubs/elan-bin"):
        (tmp_path / folder).mkdir()
    for tool in SYSTEM_TOOLS + OTHER_TOOLS:
        found = shutil.which(tool)
        assert found, f"this machine has no {tool}"
        (tmp_path / "bin" / tool).symlink_to(found)
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    stand_ins = {"bin/git": GIT, "bin/curl": CURL}
    stand_ins |= {"stubs/elan-bin/elan": ELAN, "stubs/elan-bin/lean": LEAN, "stubs/elan-bin/lake": LAKE}
    for name, body in stand_ins.items():
        (tmp_path / name).write_text(PREAMBLE + body)
        (tmp_path / name).chmod(0o755)
    machine.repl_rejects("'wrong' in text")
    return machine


def pinned(what: str = "LEAN") -> str:
    """The version that the script names."""
    line = next(line for line in SCRIPT.read_text().splitlines() if line.startswith(f"readonly PINNED_{what}="))
    return line.partition("=")[2]


def pinned_repl() -> str:
    """The tag of the REPL that the script names for the Lean that it names."""
    return pinned("REPL")


def test_a_fresh_install_ends_with_a_proof_verified_and_its_record(machine: Machine) -> None:
    result = machine.run(LEAN_PATH="/some/other/lean", ELAN_SPARE="1")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "verified: theorem sum_comm" in result.stdout
    assert "rejected: theorem wrong" in result.stdout
    pin = pinned()
    record = machine.installed()
    assert record["repl"] == str(machine.target / f"repl-{pinned_repl()}" / ".lake/build/bin/repl")
    assert os.access(record["repl"], os.X_OK)
    assert record["lean_version"] == pin.removeprefix("v")
    assert (record["repl_version"], record["mathlib_version"]) == (pinned_repl(), pin)
    project = Path(record["project"])
    assert (project / "lean-toolchain").read_text() == f"leanprover/lean4:{pin}\n"
    assert f'rev = "{pin}"' in (project / "lakefile.toml").read_text()
    # Only what Lean adds to the environment, and nothing of the shell's own Lean.
    assert record["env"] == {
        "ELAN_HOME": str(machine.target / "elan"),
        "ELAN_TOOLCHAIN": f"leanprover/lean4:{pin}",
        "LEAN_PATH": str(project / "lib"),
        "LEAN_SYSROOT": '/a "quoted" place',
    }
    assert "export STREAMVERIFY_LEAN_HOME=" in result.stdout


async def test_the_worker_finds_what_was_installed_in_the_default_folder(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = machine.run("--core", XDG_DATA_HOME=str(machine.root / "data"))
    assert "verified: theorem two" in result.stdout
    monkeypatch.setenv("XDG_DATA_HOME", str(machine.root / "data"))

    command = await find_repl("auto", None)

    record = json.loads((machine.root / "data" / "streamverify" / "lean" / "install.json").read_text())
    assert command.argv == (record["repl"],)
    assert command.cwd == Path(record["project"])
    assert command.env is not None
    assert command.env.items() >= record["env"].items()
    assert (command.kind, command.repl_version, command.mathlib_version) == ("lean", pinned_repl(), None)


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_versions_are_chosen_by_flag_or_environment(machine: Machine, how: str) -> None:
    if how == "flag":
        machine.run("--lean", "4.30.1", "--repl", "v4.30.0", "--mathlib", "v4.30.2")
    else:
        machine.run(LEAN_VERSION="v4.30.1", REPL_VERSION="v4.30.0", MATHLIB_VERSION="v4.30.2")

    record = machine.installed()
    versions = [record[f"{what}_version"] for what in ("lean", "repl", "mathlib")]
    assert versions == ["4.30.1", "v4.30.0", "v4.30.2"]


@pytest.mark.parametrize(("rejects", "words"), [("False", "accepted a false"), ("True", "rejected a true")])
def test_a_lean_that_verifies_wrongly_is_not_recorded(machine: Machine, rejects: str, words: str) -> None:
    machine.repl_rejects(rejects)

    result = machine.run()

    assert result.returncode == 1
    assert f"{words} theorem" in result.stdout
    assert not (machine.target / "install.json").exists()


def test_a_second_run_installs_nothing(machine: Machine) -> None:
    machine.run()
    machine.calls()
    before = (machine.target / "install.json").read_text()

    result = machine.run()

    assert result.returncode == 0, result.stderr
    assert machine.calls() == []
    assert (machine.target / "install.json").read_text() == before
    assert "verified:" in result.stdout


@pytest.mark.parametrize(
    ("call", "step"),
    [
        ("curl", "install elan"),
        ("elan toolchain install", f"install Lean {pinned()}"),
        ("git clone", f"fetch the REPL {pinned_repl()}"),
        ("lake build", f"build the REPL {pinned_repl()}"),
        ("lake update", "make the Lean project"),
        ("lake exe", "fetch Mathlib's cache"),
    ],
)
def test_a_step_that_fails_is_named_and_the_next_run_goes_on_from_it(machine: Machine, call: str, step: str) -> None:
    machine.fail(call, 7, "the disk is full")

    failed = machine.run()

    assert failed.returncode == 1
    assert f'the step "{step}' in failed.stderr
    assert "status 7" in failed.stderr
    assert "the disk is full" in failed.stdout
    assert "Run the same command again" in failed.stderr
    assert "network" not in failed.stderr
    assert not (machine.target / "install.json").exists()
    done = machine.calls()

    machine.mend()
    resumed = machine.run()

    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    again = machine.calls()
    assert again[0].startswith(call)
    assert not set(again) & set(done[:-1])


def test_missing_tools_are_all_named_at_once(machine: Machine) -> None:
    for tool in ("git", "curl"):
        (machine.root / "bin" / tool).unlink()

    result = machine.run()

    assert result.returncode == 1
    assert "missing: git curl" in result.stderr
    assert "apt-get install git curl" in result.stderr
    assert not machine.target.exists()


def test_an_elan_that_is_there_is_used(machine: Machine) -> None:
    shutil.copytree(machine.stubs / "elan-bin", machine.root / ".elan" / "bin")

    result = machine.run("--core")

    assert result.returncode == 0, result.stderr
    assert not any(call.startswith("curl") for call in machine.calls())
    assert machine.installed()["env"]["ELAN_HOME"] == str(machine.root / ".elan")
    assert not (machine.target / "elan").exists()


def test_the_lean_that_is_pinned_is_the_first_without_a_known_bug_of_its_kernel() -> None:
    assert pinned() == "v4.34.1"
    assert pinned().removeprefix("v") == Settings.model_fields["min_lean_version"].default
    assert pinned_repl() == "v4.34.0"


def no_tags(machine: Machine, *tags: str) -> None:
    """The REPL's repository answers that it has no such tag."""
    for tag in tags:
        (machine.stubs / f"no-tag-{tag}").touch()


def test_a_patch_release_of_lean_gets_the_repl_of_its_release(machine: Machine) -> None:
    no_tags(machine, "v4.36.2")

    assert machine.run("--core", "--lean", "v4.36.2").returncode == 0

    assert machine.installed()["repl_version"] == "v4.36.0"
    source = machine.target / "repl-v4.36.0"
    assert (source / "lean-toolchain").read_text() == "leanprover/lean4:v4.36.2\n"


def test_a_newer_lean_is_tried_with_the_newest_source_of_the_repl(machine: Machine) -> None:
    no_tags(machine, "v4.36.2", "v4.36.0")

    result = machine.run("--core", "--lean", "v4.36.2")

    assert result.returncode == 0
    assert "the REPL has no tag for Lean v4.36.2: its newest source is tried" in result.stdout
    [clone] = [call for call in machine.calls() if call.startswith("git clone")]
    assert "--branch" not in clone
    assert machine.installed()["repl_version"] == "newest-for-v4.36.2"
    source = machine.target / "repl-newest-for-v4.36.2"
    assert (source / "lean-toolchain").read_text() == "leanprover/lean4:v4.36.2\n"


def test_a_repl_that_does_not_compile_with_a_newer_lean_is_said_clearly(machine: Machine) -> None:
    no_tags(machine, "v4.36.0")
    machine.fail("lake build repl", 1, "error: REPL/Main.lean:12:3: unknown constant")

    result = machine.run("--core", "--lean", "v4.36.0")

    assert result.returncode == 1
    assert "The REPL newest-for-v4.36.0 does not compile with Lean v4.36.0" in result.stderr
    assert f"Lean {pinned()} with the REPL {pinned_repl()} is known to work" in result.stderr
    assert "setup_lean:   error: REPL/Main.lean:12:3: unknown constant" in result.stderr
    assert not (machine.target / "install.json").exists()


def test_where_the_tags_cannot_be_asked_for_no_other_repl_is_taken(machine: Machine) -> None:
    machine.fail("git ls-remote", 128, "fatal: unable to access: Could not resolve host: github.com")

    result = machine.run("--core", "--lean", "v4.36.0")

    assert result.returncode == 1
    assert "The network seems to be the cause" in result.stderr


def test_a_mathlib_for_another_lean_is_refused(machine: Machine) -> None:
    (machine.stubs / "mathlib-toolchain").write_text("leanprover/lean4:v4.31.0\n")

    result = machine.run("--mathlib", "v4.31.0")

    assert result.returncode == 1
    assert "Mathlib v4.31.0 is made for leanprover/lean4:v4.31.0: use --lean v4.31.0" in result.stderr


def test_a_half_cloned_package_is_removed_and_a_whole_one_kept(machine: Machine) -> None:
    machine.fail("lake update", 130, "killed")
    machine.run()
    packages = machine.target / f"project-lean-{pinned()}-mathlib-{pinned()}" / ".lake" / "packages"
    (packages / "half" / ".git").mkdir(parents=True)
    (packages / "whole" / ".git").mkdir(parents=True)
    (packages / "whole" / ".git" / "HEAD").touch()
    machine.mend()

    assert machine.run().returncode == 0

    assert not (packages / "half").exists()
    assert (packages / "whole").exists()


def with_cargo(machine: Machine) -> None:
    for name, body in {"bin/cargo": PREAMBLE + CARGO, "stubs/tool": "#!/bin/sh\n"}.items():
        (machine.root / name).write_text(body)
        (machine.root / name).chmod(0o755)


def test_the_tools_of_the_tiers_are_installed_pinned_and_once_and_found_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cargo(machine)
    for arguments in (["--tiers", "--core"], ["--tiers", "--core"], ["--core"]):
        assert machine.run(*arguments).returncode == 0
    cargo = [call for call in machine.calls() if call.startswith("cargo")]
    root = machine.target / "tiers"
    assert cargo == [
        f"cargo install --quiet --locked --root {root} olean-export@{pinned('OLEAN_EXPORT')}",
        (
            f"cargo install --quiet --locked --root {root} --git https://github.com/ammkrn/nanoda_lib --rev "
            f"{pinned('NANODA')}"
        ),
    ]
    assert re.fullmatch("[0-9a-f]{40}", pinned("NANODA"))
    monkeypatch.setenv("STREAMVERIFY_LEAN_HOME", str(machine.target))
    assert find_program("auto", ("olean-export",), {}) == [str(root / "bin" / "olean-export")]
    assert find_program("auto", ("nanoda_bin",), {}) == [str(root / "bin" / "nanoda_bin")]


def test_without_cargo_nothing_is_begun_for_the_tiers(machine: Machine) -> None:
    result = machine.run("--tiers")
    assert (result.returncode, machine.calls()) == (1, [])
    assert "--tiers needs Rust's cargo" in result.stderr


def test_a_kernel_that_does_not_build_is_said_and_resumed(machine: Machine) -> None:
    with_cargo(machine)
    machine.fail("cargo install --quiet --locked --root", 101, "error: rustc 1.70 is too old")
    result = machine.run("--tiers", "--core")
    assert result.returncode == 1
    assert 'the step "build olean-export and nanoda" failed' in result.stderr
    assert "error: rustc 1.70 is too old" in result.stderr
    assert not (machine.target / "install.json").exists()
    machine.mend()
    assert machine.run("--tiers", "--core").returncode == 0
    assert (machine.target / "install.json").exists()


def test_two_at_once_in_one_folder_are_refused(machine: Machine) -> None:
    machine.target.mkdir()
    with subprocess.Popen(
        [str(machine.root / "bin" / "flock"), str(machine.target / ".lock"), "sh", "-c", "echo held; exec sleep 60"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = machine.run("--core")
        os.killpg(holder.pid, signal.SIGKILL)

    assert result.returncode == 1
    assert "another setup_lean.sh is at work" in result.stderr


def test_an_interrupted_run_says_how_to_go_on(machine: Machine) -> None:
    (machine.root / "bin" / "git").write_text('#!/bin/sh\necho cloning > "$STUBS/cloning"\nexec sleep 60\n')
    process = subprocess.Popen(
        [str(SCRIPT), "--core", "--dir", str(machine.target)],
        env=machine.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (machine.stubs / "cloning").exists():
        assert process.poll() is None
        time.sleep(0.01)

    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert process.returncode != 0
    assert f'interrupted in the step "fetch the REPL {pinned_repl()}"' in said
    assert "Run the same command again" in said


@pytest.mark.parametrize("arguments", [["--lean"], ["--dir", ""], ["--no-mathlib"], ["extra"]])
def test_wrong_usage_is_2_and_shows_how(machine: Machine, arguments: list[str]) -> None:
    result = machine.run(*arguments)

    assert result.returncode == 2
    assert "Usage: ./setup_lean.sh" in result.stderr
    assert machine.calls() == []
