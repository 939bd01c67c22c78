"""The Makefile and .ci/run are run with stand-ins for what they start."""

from __future__ import annotations

import os
import re
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


def test_make_alone_lists_every_target(checkout: Path) -> None:
    result = make(checkout)
    assert result.returncode == 0
    listed = re.findall(r"^  make ([a-z-]+) ", result.stdout, flags=re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", (checkout / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony
    assert set(listed) == set(phony[1].split())


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


APT = """
echo "apt-get $*" >> "$CALLS"
case "$*" in
    *openjdk-17*) exit "${NO_JAVA_17:-0}" ;;
    *openjdk-21*) echo 'echo "openjdk version \\"21.0.1\\"" >&2' > "$BIN/java" && chmod +x "$BIN/java" ;;
    *maven*) : > "$BIN/mvn" && chmod +x "$BIN/mvn" ;;
    *bubblewrap*) : > "$BIN/bwrap" && chmod +x "$BIN/bwrap" ;;
    *openssl*) : > "$BIN/openssl" && chmod +x "$BIN/openssl" ;;
    *iproute2*) : > "$BIN/ip" && chmod +x "$BIN/ip" ;;
    *chromium*) : > "$BIN/chromium" && : > "$BIN/chromedriver" && chmod +x "$BIN/chromium" "$BIN/chromedriver" ;;
    *kcat*) : > "$BIN/kcat" && chmod +x "$BIN/kcat" ;;
    *jq*) : > "$BIN/jq" && chmod +x "$BIN/jq" ;;
    *prometheus*) : > "$BIN/promtool" && chmod +x "$BIN/promtool" ;;
    *systemd*) : > "$BIN/systemd-analyze" && chmod +x "$BIN/systemd-analyze" ;;
    *npm*) : > "$BIN/npm" && chmod +x "$BIN/npm" ;;
    *redis*) : > "$BIN/redis-server" && chmod +x "$BIN/redis-server" ;;
esac
"""

# Says what it was called with; those that run beside each other wait until two of them have been started.
MAKE = """
echo "make $*" >> "$CALLS"
echo "words of $1"
case "$1" in test-kafka|chaos-short)
    : > "$CALLS.$1"
    until [ -e "$CALLS.test-kafka" ] && [ -e "$CALLS.chaos-short" ]; do sleep 0.02; done ;;
esac
[ "$1" != "$FAILS" ]
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


IN_A_ROW = ["make demo", "make test", "make venv", "make .venv/.oracle"]
SIDE_BY_SIDE = [
    "check",
    "check-asyncapi",
    "check-deploy",
    "site",
    "test-vectors",
    "test-kafka",
    "chaos-short",
    "test-oracle",
]
TOGETHER = [f"make {target}" for target in SIDE_BY_SIDE]


def test_ci_installs_what_is_missing_and_only_that(new_machine: Path) -> None:
    result, calls = run_ci(new_machine, NO_JAVA_17="100")
    assert result.returncode == 0, result.stdout + result.stderr
    packages = [call.split()[-1] for call in calls if call.startswith("apt-get install")]
    assert calls[0].startswith("apt-get update")
    assert packages == [
        "openjdk-17-jre-headless",
        "openjdk-21-jre-headless",
        "maven",
        "bubblewrap",
        "openssl",
        "iproute2",
        "chromium-driver",
        "kcat",
        "jq",
        "redis-server",
        "prometheus",
        "systemd",
        "npm",
    ]
    assert calls[-len(TOGETHER) - len(IN_A_ROW) : -len(TOGETHER)] == IN_A_ROW
    assert set(calls[-len(TOGETHER) :]) == set(TOGETHER)

    result, calls = run_ci(new_machine)
    assert result.returncode == 0, result.stderr
    assert calls[: -len(TOGETHER)] == IN_A_ROW
    assert set(calls[-len(TOGETHER) :]) == set(TOGETHER)


def test_ci_asks_the_real_lean_only_where_its_wheel_is_for(new_machine: Path) -> None:
    run_ci(new_machine, NO_JAVA_17="100")
    result, calls = run_ci(new_machine, MACHINE="aarch64")
    assert result.returncode == 0, result.stderr
    assert set(calls) == {*IN_A_ROW, *TOGETHER} - {"make test-oracle", "make .venv/.oracle"}


def test_ci_fails_where_java_cannot_be_had(new_machine: Path) -> None:
    stand_in(new_machine / "bin" / "apt-get", 'echo "apt-get $*" >> "$CALLS"')
    result, calls = run_ci(new_machine)
    assert result.returncode == 1
    assert "Kafka needs Java 17 or newer" in result.stderr
    assert not any(call.startswith("make") for call in calls)


@pytest.mark.parametrize("target", ["demo", "test", "venv", ".venv/.oracle"])
def test_ci_stops_at_the_first_failure(new_machine: Path, target: str) -> None:
    run_ci(new_machine, NO_JAVA_17="100")
    result, calls = run_ci(new_machine, FAILS=target)
    assert result.returncode != 0
    assert calls[-1] == f"make {target}"


@pytest.mark.parametrize("target", SIDE_BY_SIDE)
def test_of_targets_side_by_side_each_failure_counts_and_each_output_is_shown(new_machine: Path, target: str) -> None:
    run_ci(new_machine, NO_JAVA_17="100")
    for file in new_machine.glob("calls.*"):
        file.unlink()
    result, calls = run_ci(new_machine, FAILS=target)
    assert result.returncode == 1
    assert f"failed: {target}\n" in result.stderr
    assert "=== done" not in result.stdout
    assert set(calls[-len(TOGETHER) :]) == set(TOGETHER)
    said = [line.removeprefix("words of ") for line in result.stdout.splitlines() if line.startswith("words of ")]
    assert said[-len(SIDE_BY_SIDE) :] == SIDE_BY_SIDE


@pytest.mark.parametrize("script", [".ci/run", "setup_lean.sh", "deploy/kafka/kafka.py"])
def test_scripts_can_be_started(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
