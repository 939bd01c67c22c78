"""setup_lean.sh, with stand-ins for git, curl, elan, lean, lake and cargo: what it calls, keeps, and says."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, link_programs, write_script

from streamverify.lean.kernel.tools import find_program
from streamverify.lean.repl.launch import find_repl
from streamverify.settings import Settings

SCRIPT = ROOT / "setup_lean.sh"
TOOLS = ("bash", "sh", "env", "mkdir", "cat", "tee", "grep", "sed", "mv", "rm", "cp", "chmod", "flock", "tar", "touch")
PINS = dict(re.findall(r"^readonly PINNED_(\w+)=(\S+)$", SCRIPT.read_text(), re.MULTILINE))

# Each notes how it was called, then fails if a file `fail-<call>` says how: exit status, then what to print.
PREAMBLE = """
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
STAND_INS = {"bin/git": GIT, "bin/curl": CURL, "bin/cargo": CARGO, "stubs/tool": ""} | {
    f"stubs/elan-bin/{name}": body for name, body in {"elan": ELAN, "lean": LEAN, "lake": LAKE}.items()
}
VERSIONS = ("lean_version", "repl_version", "mathlib_version")


def repl_that_rejects(condition: str) -> str:
    """The REPL that rejects where `condition` over `text` holds."""
    return REPL.replace("ANSWER", f"(lambda text: {condition})")


class Machine:
    """A machine of stand-ins, and the script run on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.stubs, self.target = root, root / "stubs", root / "lean home"
        self.environment = {"PATH": f"{root}/bin", "HOME": str(root), "STUBS": str(self.stubs), "LANG": "C.UTF-8"}
        for folder in ("bin", "stubs", "stubs/elan-bin"):
            (root / folder).mkdir()
        link_programs(root / "bin", *TOOLS, "sleep")
        for name, body in STAND_INS.items():
            write_script(root / name, PREAMBLE + body)
        write_script(self.stubs / "repl", 'exec python3 "$STUBS/repl.py"')
        self.write("repl.py", repl_that_rejects("'wrong' in text"))

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        folder = () if "XDG_DATA_HOME" in extra else ("--dir", str(self.target))
        argv, env = [str(SCRIPT), *folder, *arguments], self.environment | extra
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def calls(self) -> list[str]:
        """What was called since the last look, without what only looks."""
        file = self.stubs / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        looks = ("elan toolchain list", "lean --version", "lake env", "git --git-dir", "git ls-remote")
        return [line for line in lines if not line.startswith(looks)]

    def write(self, name: str, text: str) -> None:
        (self.stubs / name).write_text(text)

    def mend(self) -> None:
        for file in self.stubs.glob("fail-*"):
            file.unlink()

    @property
    def record(self) -> Path:
        return self.target / "install.json"

    def installed(self, *keys: str) -> list[Any]:
        record = json.loads(self.record.read_text())
        return [record[key] for key in keys]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_install_verifies_a_proof_is_found_by_a_worker_and_not_made_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = machine.root / "data"
    machine.target = data / "streamverify" / "lean"
    result = machine.run(LEAN_PATH="/some/other/lean", ELAN_SPARE="1", XDG_DATA_HOME=str(data))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "verified: theorem sum_comm" in result.stdout
    assert "rejected: theorem wrong" in result.stdout
    pin = PINS["LEAN"]
    # A worker refuses an older one, whose kernel has a known bug.
    assert pin.removeprefix("v") == Settings.model_fields["min_lean_version"].default
    assert machine.installed(*VERSIONS) == [pin.removeprefix("v"), PINS["REPL"], pin]
    repl, project, env = machine.installed("repl", "project", "env")
    assert repl == str(machine.target / f"repl-{PINS['REPL']}" / ".lake/build/bin/repl")
    assert Path(project, "lean-toolchain").read_text() == f"leanprover/lean4:{pin}\n"
    assert f'rev = "{pin}"' in Path(project, "lakefile.toml").read_text()
    # Only what Lean adds to the environment, and nothing of the shell's own Lean.
    assert env == {
        "ELAN_HOME": str(machine.target / "elan"),
        "ELAN_TOOLCHAIN": f"leanprover/lean4:{pin}",
        "LEAN_PATH": f"{project}/lib",
        "LEAN_SYSROOT": '/a "quoted" place',
    }
    monkeypatch.setenv("XDG_DATA_HOME", str(data))
    command = asyncio.run(find_repl("auto", None))
    assert (command.argv, command.cwd, command.kind) == ((repl,), Path(project), "lean")
    assert (command.repl_version, command.mathlib_version) == (PINS["REPL"], pin)
    assert command.env is not None
    assert command.env.items() >= env.items()
    machine.calls()
    written = machine.record.read_text()
    again = machine.run(XDG_DATA_HOME=str(data))
    assert (again.returncode, machine.calls(), machine.record.read_text()) == (0, [], written), again.stderr
    assert "verified:" in again.stdout


FLAGS = ("--lean", "4.30.1", "--repl", "v4.30.0", "--mathlib", "v4.30.2")
VARIABLES = {"LEAN_VERSION": "v4.30.1", "REPL_VERSION": "v4.30.0", "MATHLIB_VERSION": "v4.30.2"}
CORE = ("--core", "--lean", "v4.36.2")


@pytest.mark.parametrize(
    ("no_tags", "arguments", "variables", "versions"),
    [
        pytest.param([], FLAGS, {}, ["4.30.1", "v4.30.0", "v4.30.2"], id="by flags"),
        pytest.param([], (), VARIABLES, ["4.30.1", "v4.30.0", "v4.30.2"], id="by the environment"),
        pytest.param(["v4.36.2"], CORE, {}, ["4.36.2", "v4.36.0", None], id="the REPL of a patch's release"),
        pytest.param(["v4.36.2", "v4.36.0"], CORE, {}, ["4.36.2", "newest-for-v4.36.2", None], id="the newest REPL"),
    ],
)
def test_versions_are_chosen_and_a_repl_without_a_tag_is_built_with_the_lean_that_was_asked_for(
    machine: Machine, no_tags: list[str], arguments: list[str], variables: dict[str, str], versions: list[str]
) -> None:
    for tag in no_tags:
        # The REPL's repository answers that it has no such tag.
        (machine.stubs / f"no-tag-{tag}").touch()
    result = machine.run(*arguments, **variables)
    assert (result.returncode, machine.installed(*VERSIONS)) == (0, versions)
    toolchain = machine.target / f"repl-{versions[1]}" / "lean-toolchain"
    assert not no_tags or toolchain.read_text() == "leanprover/lean4:v4.36.2\n"
    [clone] = [call for call in machine.calls() if call.startswith("git clone")]
    warned = "the REPL has no tag for Lean v4.36.2: its newest source is tried" in result.stdout
    assert ("--branch" not in clone) == warned == (len(no_tags) > 1)


@pytest.mark.parametrize(
    ("call", "step", "arguments"),
    [
        ("curl", "install elan", []),
        ("elan toolchain install", f"install Lean {PINS['LEAN']}", []),
        ("git clone", f"fetch the REPL {PINS['REPL']}", []),
        ("lake build", f"build the REPL {PINS['REPL']}", []),
        ("lake update", "make the Lean project", []),
        ("lake exe", "fetch Mathlib's cache", []),
        ("cargo install --quiet --locked --root", "build olean-export and nanoda", ["--tiers", "--core"]),
    ],
)
def test_a_step_that_fails_is_named_and_the_next_run_goes_on_from_it(
    machine: Machine, call: str, step: str, arguments: list[str]
) -> None:
    machine.write(f"fail-{call}", "7\nthe disk is full\n")
    failed = machine.run(*arguments)
    assert (failed.returncode, machine.record.exists()) == (1, False)
    for words in (f'the step "{step}', "status 7", "Run the same command again"):
        assert words in failed.stderr
    assert "the disk is full" in failed.stdout + failed.stderr
    assert "network" not in failed.stderr
    done = machine.calls()
    machine.mend()
    resumed = machine.run(*arguments)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    again = machine.calls()
    assert again[0].startswith(call)
    assert not set(again) & set(done[:-1])


NEWER = ["--core", "--lean", "v4.36.0"]
NOT_COMPILED = {"no-tag-v4.36.0": "", "fail-lake build repl": "1\nerror: REPL/Main.lean:12:3: unknown constant\n"}
KNOWN_TO_WORK = f"Lean {PINS['LEAN']} with the REPL {PINS['REPL']} is known to work"
NO_NETWORK = {"fail-git ls-remote": "128\nfatal: unable to access: Could not resolve host: github.com\n"}
ELSEWHERE = {"mathlib-toolchain": "leanprover/lean4:v4.31.0\n"}


@pytest.mark.parametrize(
    ("missing", "stubs", "arguments", "status", "said"),
    [
        # What is wrong from the start is said before anything is done.
        ("git curl", {}, [], 1, "missing: git curl. On Debian or Ubuntu: apt-get install git curl"),
        ("cargo", {}, ["--tiers"], 1, "--tiers needs Rust's cargo"),
        *(("", {}, wrong, 2, "Usage: ./setup_lean.sh") for wrong in (["--lean"], ["--dir", ""], ["--no-x"], ["x"])),
        ("", {"repl.py": repl_that_rejects("False")}, [], 1, "accepted a false theorem"),
        ("", {"repl.py": repl_that_rejects("True")}, [], 1, "rejected a true theorem"),
        ("", NOT_COMPILED, NEWER, 1, f"newest-for-v4.36.0 does not compile with Lean v4.36.0. {KNOWN_TO_WORK}"),
        ("", NOT_COMPILED, NEWER, 1, "setup_lean:   error: REPL/Main.lean:12:3: unknown constant"),
        # Nobody knows whether there is a tag, so that no other REPL is taken.
        ("", NO_NETWORK, NEWER, 1, "The network seems to be the cause"),
        ("", ELSEWHERE, ["--mathlib", "v4.31.0"], 1, "made for leanprover/lean4:v4.31.0: use --lean v4.31.0"),
    ],
)
def test_what_does_not_fit_is_said_and_not_recorded(  # noqa: PLR0913, PLR0917 - the columns of the table
    machine: Machine, missing: str, stubs: dict[str, str], arguments: list[str], status: int, said: str
) -> None:
    for tool in missing.split():
        (machine.root / "bin" / tool).unlink()
    for name, text in stubs.items():
        machine.write(name, text)
    result = machine.run(*arguments)
    assert (result.returncode, machine.record.exists(), bool(machine.calls())) == (status, False, bool(stubs))
    assert said in result.stdout + result.stderr


def test_an_elan_that_is_there_is_used(machine: Machine) -> None:
    shutil.copytree(machine.stubs / "elan-bin", machine.root / ".elan" / "bin")
    result = machine.run("--core")
    assert result.returncode == 0, result.stderr
    assert not any(call.startswith("curl") for call in machine.calls())
    assert machine.installed("env")[0]["ELAN_HOME"] == str(machine.root / ".elan")
    assert not (machine.target / "elan").exists()


def test_a_half_cloned_package_is_removed_and_a_whole_one_kept(machine: Machine) -> None:
    machine.write("fail-lake update", "130\nkilled\n")
    machine.run()
    packages = machine.target / f"project-lean-{PINS['LEAN']}-mathlib-{PINS['LEAN']}" / ".lake" / "packages"
    for package in ("half", "whole"):
        (packages / package / ".git").mkdir(parents=True)
    (packages / "whole" / ".git" / "HEAD").touch()
    machine.mend()
    assert machine.run().returncode == 0
    assert {each.name for each in packages.iterdir()} & {"half", "whole"} == {"whole"}


def test_the_tools_of_the_tiers_are_installed_pinned_and_once_and_found_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (["--tiers", "--core"], ["--tiers", "--core"], ["--core"]):
        assert machine.run(*arguments).returncode == 0
    root = machine.target / "tiers"
    install, nanoda = f"cargo install --quiet --locked --root {root}", "https://github.com/ammkrn/nanoda_lib"
    assert [call for call in machine.calls() if call.startswith("cargo")] == [
        f"{install} olean-export@{PINS['OLEAN_EXPORT']}",
        f"{install} --git {nanoda} --rev {PINS['NANODA']}",
    ]
    assert re.fullmatch("[0-9a-f]{40}", PINS["NANODA"])
    monkeypatch.setenv("STREAMVERIFY_LEAN_HOME", str(machine.target))
    for tool in ("olean-export", "nanoda_bin"):
        assert find_program("auto", (tool,), {}) == [str(root / "bin" / tool)]


def test_two_at_once_in_one_folder_are_refused(machine: Machine) -> None:
    machine.target.mkdir()
    with (machine.target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = machine.run("--core")
    assert result.returncode == 1
    assert "another setup_lean.sh is at work" in result.stderr


def test_an_interrupted_run_says_how_to_go_on(machine: Machine) -> None:
    write_script(machine.root / "bin" / "git", 'echo cloning > "$STUBS/cloning"\nexec sleep 60')
    argv, nowhere = [str(SCRIPT), "--core", "--dir", str(machine.target)], subprocess.DEVNULL
    process = subprocess.Popen(
        argv, env=machine.environment, stdout=nowhere, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (machine.stubs / "cloning").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f'interrupted in the step "fetch the REPL {PINS["REPL"]}"' in said
    assert "Run the same command again" in said
