"""Which real Kafka the tests use, and what deploy/kafka/kafka.py says where it cannot run. Starts no broker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from shutil import copytree
from typing import TYPE_CHECKING

import pytest
from kafka_broker import VARIABLE
from support import ROOT, link_programs, write_script

if TYPE_CHECKING:
    from pathlib import Path

JAVA = 'echo \'openjdk version "17.0.1" 2021-10-19\' >&2; [ "$1" = -version ]'
JAVA_THAT_RUNS = """
case "$*" in
    -version) echo 'openjdk version "17.0.1" 2021-10-19' >&2;;
    *StorageTool*) ;;
    *ArchiveClassesAtExit=*)
        for word in "$@"; do case "$word" in *AtExit=*) target="${word#*=}";; esac; done
        trap 'echo classes > "$target"; exit 143' TERM
        echo "Kafka Server started"
        while :; do :; done;;
    *) echo "started with $*"; exit 1;;
esac
"""
MAVEN = """
echo "$*" >> "$CALLS"
for word in "$@"; do case "$word" in -DoutputDirectory=*) target="${word#*=}";; esac; done
mkdir -p "$target" && printf 'some bytes' > "$target/kafka.jar" && printf 'more' > "$target/log4j.jar"
"""


@dataclass
class Checkout:
    """A copy of deploy/kafka with stand-ins for java and mvn."""

    root: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Start the script by its name, as its documentation does."""
        argv = [str(self.root / "deploy/kafka/kafka.py"), *arguments]
        env = {"PATH": str(self.root / "bin"), "CALLS": str(self.root / "calls")}
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    def install(self, name: str, body: str) -> None:
        write_script(self.root / "bin" / name, body)

    def maven_calls(self) -> int:
        calls = self.root / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def jars(self) -> Path:
        """The one folder of jars."""
        [folder] = (self.root / ".kafka").glob("jars-*")
        return folder

    def nodes(self) -> list[Path]:
        """The folders of nodes that are left."""
        return list((self.root / ".kafka" / "run").iterdir())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "bin").mkdir()
    link_programs(tmp_path / "bin", "mkdir", "sleep")
    copytree(ROOT / "deploy" / "kafka", tmp_path / "deploy" / "kafka")
    checkout = Checkout(tmp_path)
    checkout.install("java", JAVA)
    checkout.install("mvn", MAVEN)
    return checkout


def test_a_command_is_run_with_the_broker_that_is_configured_which_has_to_listen() -> None:
    program = f"import os, sys; print(os.environ['{VARIABLE}'], flush=True); sys.exit(7)"
    argv = [sys.executable, str(ROOT / "tests" / "kafka_broker.py"), sys.executable, "-c", program]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # One of several that listens is enough.
        env = {**os.environ, VARIABLE: f"127.0.0.1:1,127.0.0.1:{listener.getsockname()[1]}"}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (7, env[VARIABLE]), done.stderr
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"no Apache Kafka: no broker of {VARIABLE} accepts connections" in done.stderr


@pytest.mark.parametrize("damage", ["truncated", "missing", "no list"])
def test_damaged_jars_are_fetched_again(checkout: Checkout, damage: str) -> None:
    checkout.run("fetch")
    if damage == "truncated":
        (checkout.jars() / "kafka.jar").write_text("some")
    else:
        (checkout.jars() / ("kafka.jar" if damage == "missing" else "sizes.json")).unlink()
    assert checkout.run("fetch").returncode == 0
    assert checkout.maven_calls() == 2
    assert (checkout.jars() / "kafka.jar").read_text() == "some bytes"


def test_a_fetch_that_fails_says_how_to_go_on_and_leaves_no_half_folder(checkout: Checkout) -> None:
    checkout.install("mvn", f"{MAVEN}\necho '[ERROR] Unknown host'; exit 1")
    result = checkout.run("fetch")
    assert result.returncode == 4
    assert "Unknown host" in result.stderr
    assert "run the same command again" in result.stderr
    checkout.install("mvn", MAVEN)
    assert checkout.run("fetch").returncode == 0
    assert sorted(path.name for path in checkout.jars().iterdir()) == ["kafka.jar", "log4j.jar", "sizes.json"]


OLD_JAVA = "echo 'openjdk version \"{}\"' >&2"
TAKEN = "of 127.0.0.1 (Address already in use)"


@pytest.mark.parametrize(
    ("tool", "body", "arguments", "said"),
    [
        *(("java", OLD_JAVA.format(old), ["run"], "needs Java 17 or newer") for old in ("1.8.0_402", "11.0.22", "")),
        ("mvn", None, ["run"], "install maven"),
        # There is no openssl here.
        ("java", JAVA, ["run", "--secure", "secrets"], "install openssl"),
        *(("java", JAVA, wrong, "usage: ") for wrong in (["run", "--nodes", "2"], ["start"], [])),
        *(
            ("java", JAVA, ["run", "--port", port], f"{port!r} is no port: a number from 1 to 65535")
            for port in ("0", "65536", "nine", "-1", "")
        ),
        ("java", JAVA, ["run", "--port", "{port}"], f"cannot listen on port {{port}} {TAKEN}"),
        # The last of three nodes would have the port, if nobody else has that of another one.
        ("java", JAVA, ["run", "--nodes", "3", "--port", "{before}"], TAKEN),
    ],
)
def test_what_is_missing_or_wrong_is_said_and_ends_it_with_2(
    checkout: Checkout, tool: str, body: str | None, arguments: list[str], said: str
) -> None:
    if body is None:
        (checkout.root / "bin" / tool).unlink()
    else:
        checkout.install(tool, body)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = checkout.run(*(word.format(port=port, before=port - 2) for word in arguments))
    assert result.returncode == 2
    assert said.format(port=port) in result.stderr
    # Nothing is fetched before; openssl alone is looked for when the jars are there.
    assert checkout.maven_calls() == ("--secure" in arguments)


def test_a_node_that_does_not_start_is_an_error_with_its_log_and_leaves_nothing(checkout: Checkout) -> None:
    checkout.install("java", f"{JAVA} || {{ echo 'Unrecognized VM option'; exit 1; }}")
    result = checkout.run("run")
    assert (result.returncode, result.stdout) == (4, "")
    assert "Unrecognized VM option" in result.stderr
    assert checkout.nodes() == []


def test_the_classes_of_one_start_serve_the_later_ones(checkout: Checkout) -> None:
    checkout.install("java", JAVA_THAT_RUNS)
    assert checkout.run("prepare").returncode == 0
    [archive] = checkout.jars().glob("*.jsa")
    assert archive.read_text() == "classes\n"
    assert checkout.nodes() == []
    assert f"-XX:SharedArchiveFile={archive}" in checkout.run("run").stderr
    # An upgrade of Java replaces its binary, which the archive would not suit.
    checkout.install("java", JAVA_THAT_RUNS)
    assert "SharedArchiveFile" not in checkout.run("run").stderr


def test_without_an_archive_of_its_classes_kafka_starts_all_the_same(checkout: Checkout) -> None:
    checkout.install("java", f'{JAVA} || {{ echo "started with $*"; exit 1; }}')
    prepared = checkout.run("prepare")
    assert prepared.returncode == 0
    assert "no archive of Kafka's classes, nodes start without" in prepared.stderr
    started = checkout.run("run").stderr
    assert "started with -Xmx384m" in started
    assert "SharedArchiveFile" not in started


def test_two_at_once_fetch_once(checkout: Checkout) -> None:
    checkout.install("mvn", f"{MAVEN}\nsleep 1")
    with ThreadPoolExecutor(2) as runs:
        results = list(runs.map(checkout.run, ["fetch", "fetch"]))
    assert [result.returncode for result in results] == [0, 0]
    assert checkout.maven_calls() == 1
