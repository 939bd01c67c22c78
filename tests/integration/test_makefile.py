"""The Makefile and .ci/run are run with stand-ins for what they start."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from support import ROOT, link_programs, program, write_script

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile, in a folder whose name has spaces."""
    folder = tmp_path / "a path with spaces"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def make_venv(folder: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    # A make that runs these tests hands its own flags down.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    argv = [program("make"), "venv", *variables]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 1", "needs Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt-get install python3-venv"),
    ],
)
def test_without_a_usable_python_make_says_what_to_install(checkout: Path, python: str, said: str) -> None:
    write_script(checkout / "python", python)
    result = make_venv(checkout, "PYTHON=./python")
    assert (result.returncode, said in result.stderr) == (2, True), result.stderr
    assert not (checkout / ".venv").exists()


# Stands for the interpreter and, inside the environment, for its pip: notes what it is asked.
PYTHON = """
echo "$*" >> asked
case "$*" in
    "-m venv"*) mkdir -p .venv/bin; cp python .venv/bin/python ;;
    *install*) [ ! -e fails ] || exit 3 ;;
esac
"""


def test_an_environment_is_made_once_and_again_when_the_project_changes(checkout: Path) -> None:
    def installs(folder: Path) -> list[str]:
        asked = folder / "asked"
        lines = asked.read_text().splitlines()
        asked.unlink()
        return [line.split()[-1] for line in lines if " install " in line or "-m venv" in line]

    write_script(checkout / "python", PYTHON)
    # An installation that fails is tried again in the environment that is there.
    (checkout / "fails").touch()
    failed = make_venv(checkout, "PYTHON=./python")
    assert (failed.returncode, "Installing streamverify[dev]" in failed.stdout) == (2, True)
    assert installs(checkout) == [".venv", ".[dev]"]
    (checkout / "fails").unlink()
    for touched, expected in ((False, [".[dev]"]), (False, []), (True, [".[dev]"])):
        if touched:
            os.utime(checkout / "pyproject.toml", (2**31, 2**31))
        assert make_venv(checkout).returncode == 0
        assert installs(checkout) == expected
    # The paths in its commands are those of the folder that it was made in.
    moved = checkout.rename(checkout.with_name("moved"))
    assert make_venv(moved, "PYTHON=./python").returncode == 0
    assert installs(moved) == [".venv", ".[dev]"]


# What a package brings is an empty command; Java says its version.
APT = """
echo "apt-get $*" >> "$CALLS"
for word; do
    case "$word" in
        openjdk-17*) exit "${NO_JAVA_17:-0}" ;;
        openjdk-21*) echo 'echo "openjdk version \\"21.0.1\\"" >&2' > "$BIN/java" && chmod +x "$BIN/java" ;;
        maven) commands=mvn ;;
        bubblewrap) commands=bwrap ;;
        iproute2) commands=ip ;;
        chromium-driver) commands=chromedriver ;;
        prometheus) commands=promtool ;;
        systemd) commands=systemd-analyze ;;
        *) commands=$word ;;
    esac
    case "$*" in *install*) for command in $commands; do : > "$BIN/$command"; chmod +x "$BIN/$command"; done ;; esac
done
"""

# Says what it was called with; the first targets of both lanes wait until both have been started.
MAKE = """
echo "make $*" >> "$CALLS"
for target; do :; done
echo "words of $target"
case "$target" in test|chaos-short)
    : > "$CALLS.$target"
    until [ -e "$CALLS.test" ] && [ -e "$CALLS.chaos-short" ]; do sleep 0.02; done ;;
esac
[ "$target" != "$FAILS" ]
"""


TOOLS = ("bash", "sh", "env", "dirname", "sed", "head", "chmod", "mktemp", "cat", "rm", "sleep")


@pytest.fixture
def new_machine(tmp_path: Path) -> Path:
    """A machine with Python and make, and apt-get for the rest; what was called is in `calls`."""
    for folder in ("bin", ".ci"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    link_programs(tmp_path / "bin", *TOOLS)
    uname = 'case "$1" in -s) echo Linux ;; -m) echo "${MACHINE:-x86_64}" ;; esac'
    for name, body in {"id": "echo 0", "uname": uname, "make": MAKE, "apt-get": APT}.items():
        write_script(tmp_path / "bin" / name, body)
    return tmp_path


def run_ci(machine: Path, **extra: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    for file in machine.glob("calls*"):
        file.unlink()
    calls, path = machine / "calls", str(machine / "bin")
    environment = {"PATH": path, "BIN": path, "CALLS": str(calls), "FAILS": "none", "NO_JAVA_17": "100"} | extra
    run = str(machine / ".ci" / "run")
    result = subprocess.run([run], env=environment, capture_output=True, text=True, check=False)
    return result, calls.read_text().splitlines()


FIRST = ["make demo", "make .venv/.test"]


def test_ci_installs_what_is_missing_and_only_that(new_machine: Path) -> None:
    result, calls = run_ci(new_machine)
    assert result.returncode == 0, result.stdout + result.stderr
    apt = [call for call in calls if call.startswith("apt-get")]
    assert apt[0].startswith("apt-get update")
    assert [call.split("--no-install-recommends ")[1] for call in apt[1:]] == [
        "openjdk-17-jre-headless",
        "openjdk-21-jre-headless",
        "maven bubblewrap openssl iproute2 chromium chromium-driver kcat jq redis-server prometheus systemd nodejs npm",
    ]
    result, again = run_ci(new_machine)
    assert (result.returncode, again[: len(FIRST)]) == (0, FIRST), result.stderr
    assert set(again) == set(calls) - set(apt)
    # The wheel with the real Lean is for x86-64 alone.
    result, elsewhere = run_ci(new_machine, MACHINE="aarch64")
    assert (result.returncode, set(again) - set(elsewhere)) == (0, {"make VENV=.venv-gates OVER=.venv test-oracle"})


def test_ci_fails_where_java_cannot_be_had(new_machine: Path) -> None:
    write_script(new_machine / "bin" / "apt-get", 'echo "apt-get $*" >> "$CALLS"')
    result, calls = run_ci(new_machine)
    assert (result.returncode, "Kafka needs Java 17 or newer" in result.stderr) == (1, True)
    assert {call for call in calls if call.startswith("make")} <= set(FIRST)


def test_each_failure_counts_and_each_output_is_shown(new_machine: Path) -> None:
    run_ci(new_machine)
    result, everything = run_ci(new_machine)
    assert (result.returncode, "=== done" in result.stdout) == (0, True)
    assert {"make test", "make test-kafka", "make VENV=.venv-gates OVER=.venv check"} <= set(everything)
    for call in everything:
        target = call.split()[-1]
        result, calls = run_ci(new_machine, FAILS=target)
        assert (result.returncode, "=== done" in result.stdout) == (1, False), call
        assert f"failed: {target}\n" in result.stderr
        # Without the environment of the tests no lane is started; what fails in one keeps no other from running.
        assert set(calls) == set(FIRST if call in FIRST else everything)
        said = [line.removeprefix("words of ") for line in result.stdout.splitlines() if line.startswith("words of ")]
        assert sorted(said) == sorted(each.split()[-1] for each in calls)
