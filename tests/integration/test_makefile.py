"""The Makefile and .ci/run are run with stand-ins for what they start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import ROOT

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


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    assert program, "this machine has no make"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def stand_in(file: Path, body: str) -> Path:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def test_without_a_new_python_make_says_what_to_install(checkout: Path) -> None:
    old = stand_in(checkout / "old-python", "exit 1")
    result = make(checkout, "venv", f"PYTHON=./{old.name}")
    assert result.returncode == 2
    assert "needs Python 3.11 or newer" in result.stderr
    assert not (checkout / ".venv").exists()


def test_without_the_module_venv_make_names_the_package(checkout: Path) -> None:
    bare = stand_in(checkout / "bare-python", 'case "$2" in *ensurepip*) exit 1;; esac')
    result = make(checkout, "venv", f"PYTHON=./{bare.name}")
    assert result.returncode == 2
    assert "apt-get install python3-venv" in result.stderr


def test_an_environment_is_made_once_and_again_when_the_project_changes(checkout: Path) -> None:
    # Stands for the interpreter and, inside the environment, for its pip: notes what it is asked.
    python = stand_in(
        checkout / "new-python",
        'echo "$*" >> asked; case "$*" in "-m venv"*) mkdir -p .venv/bin; cp new-python .venv/bin/python;; esac',
    )
    asked = checkout / "asked"

    def installs() -> list[str]:
        lines = asked.read_text().splitlines()
        asked.unlink()
        return [line for line in lines if " install " in line or "-m venv" in line]

    assert make(checkout, "venv", f"PYTHON=./{python.name}").returncode == 0
    made = installs()
    assert made[0] == "-m venv --clear .venv"
    assert made[1].endswith("--editable .[dev]")
    assert len(made) == 2

    assert make(checkout, "venv").returncode == 0
    assert installs() == []

    os.utime(checkout / "pyproject.toml", (2**31, 2**31))
    assert make(checkout, "venv").returncode == 0
    assert [line.split()[-1] for line in installs()] == [".[dev]"]

    moved = checkout.rename(checkout.with_name("moved"))
    asked = moved / "asked"
    assert make(moved, "venv", f"PYTHON=./{python.name}").returncode == 0
    assert installs()[0] == "-m venv --clear .venv"


def test_an_installation_that_fails_is_tried_again(checkout: Path) -> None:
    body = 'case "$*" in "-m venv"*) mkdir -p .venv/bin; cp new-python .venv/bin/python;; *install*) exit 3;; esac'
    python = stand_in(checkout / "new-python", body)
    for _ in range(2):
        result = make(checkout, "venv", f"PYTHON=./{python.name}")
        assert result.returncode == 2
        assert "Installing streamverify[dev]" in result.stdout


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

# Says what it was called with; the first targets of two lanes wait until both have been started.
MAKE = """
echo "make $*" >> "$CALLS"
for target; do :; done
echo "words of $target"
case "$target" in test-kafka|chaos-short)
    : > "$CALLS.$target"
    until [ -e "$CALLS.test-kafka" ] && [ -e "$CALLS.chaos-short" ]; do sleep 0.02; done ;;
esac
[ "$target" != "$FAILS" ]
"""


@pytest.fixture
def new_machine(tmp_path: Path) -> Path:
    """A machine with Python and make, and apt-get for the rest; what was called is in `calls`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    for tool in ("bash", "sh", "env", "dirname", "sed", "head", "chmod", "mktemp", "cat", "rm", "sleep"):
        found = shutil.which(tool)
        assert found, f"this machine has no {tool}"
        (tmp_path / "bin" / tool).symlink_to(found)
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    stand_in(tmp_path / "bin" / "id", "echo 0")
    stand_in(tmp_path / "bin" / "uname", 'case "$1" in -s) echo Linux ;; -m) echo "${MACHINE:-x86_64}" ;; esac')
    stand_in(tmp_path / "bin" / "make", MAKE)
    stand_in(tmp_path / "bin" / "apt-get", APT)
    return tmp_path


def run_ci(machine: Path, **extra: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    calls = machine / "calls"
    calls.unlink(missing_ok=True)
    environment = {"PATH": str(machine / "bin"), "BIN": str(machine / "bin"), "CALLS": str(calls), "FAILS": "none"}
    result = subprocess.run(
        [str(machine / ".ci" / "run")], env=environment | extra, capture_output=True, text=True, check=False
    )
    return result, calls.read_text().splitlines() if calls.exists() else []


FIRST = ["make demo", "make .venv/.test"]
LANES = [
    ["make test"],
    [f"make VENV=.venv-gates OVER=.venv {target}" for target in ("check", "site", "test-oracle")],
    ["make test-kafka"],
    ["make chaos-short", "make test-vectors", "make check-asyncapi", "make check-deploy"],
]
IN_LANES = [call for lane in LANES for call in lane]


def test_ci_installs_what_is_missing_and_only_that(new_machine: Path) -> None:
    result, calls = run_ci(new_machine, NO_JAVA_17="100")
    assert result.returncode == 0, result.stdout + result.stderr
    apt = [call for call in calls if call.startswith("apt-get")]
    assert apt[0].startswith("apt-get update")
    assert [call.split("--no-install-recommends ")[1] for call in apt[1:]] == [
        "openjdk-17-jre-headless",
        "openjdk-21-jre-headless",
        "maven bubblewrap openssl iproute2 chromium chromium-driver kcat jq redis-server prometheus systemd nodejs npm",
    ]
    assert set(calls) - set(apt) == {*FIRST, *IN_LANES}

    result, calls = run_ci(new_machine)
    assert result.returncode == 0, result.stderr
    assert calls[: len(FIRST)] == FIRST
    assert set(calls[len(FIRST) :]) == set(IN_LANES)
    assert all([call for call in calls if call in lane] == lane for lane in LANES)


def test_ci_asks_the_real_lean_only_where_its_wheel_is_for(new_machine: Path) -> None:
    run_ci(new_machine, NO_JAVA_17="100")
    result, calls = run_ci(new_machine, MACHINE="aarch64")
    assert result.returncode == 0, result.stderr
    assert set(calls) == {*FIRST, *IN_LANES} - {"make VENV=.venv-gates OVER=.venv test-oracle"}


def test_ci_fails_where_java_cannot_be_had(new_machine: Path) -> None:
    stand_in(new_machine / "bin" / "apt-get", 'echo "apt-get $*" >> "$CALLS"')
    result, calls = run_ci(new_machine)
    assert result.returncode == 1
    assert "Kafka needs Java 17 or newer" in result.stderr
    assert set(calls).isdisjoint(IN_LANES)


@pytest.mark.parametrize("call", FIRST)
def test_ci_stops_where_the_environment_of_the_tests_cannot_be_made(new_machine: Path, call: str) -> None:
    run_ci(new_machine, NO_JAVA_17="100")
    result, calls = run_ci(new_machine, FAILS=call.rsplit(maxsplit=1)[-1])
    assert result.returncode == 1
    assert set(calls).isdisjoint(IN_LANES)


@pytest.mark.parametrize("call", IN_LANES)
def test_each_failure_counts_and_each_output_is_shown(new_machine: Path, call: str) -> None:
    target = call.rsplit(maxsplit=1)[-1]
    run_ci(new_machine, NO_JAVA_17="100")
    for file in new_machine.glob("calls.*"):
        file.unlink()
    result, calls = run_ci(new_machine, FAILS=target)
    assert result.returncode == 1
    assert f"failed: {target}\n" in result.stderr
    assert "=== done" not in result.stdout
    assert set(calls) == {*FIRST, *IN_LANES}
    said = [line.removeprefix("words of ") for line in result.stdout.splitlines() if line.startswith("words of ")]
    assert said[len(FIRST) :] == [call.split()[-1] for call in IN_LANES]


@pytest.mark.parametrize("script", ["setup_lean.sh", "deploy/kafka/kafka.py"])
def test_scripts_that_the_documentation_starts_can_be_started(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
