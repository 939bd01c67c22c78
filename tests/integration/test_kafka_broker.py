"""Which real Kafka the tests use, and what deploy/kafka/kafka.py says where it cannot run. Starts no broker."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import kafka_broker
import pytest
from kafka_broker import VARIABLE, NoBrokerError, real_broker
from support import ROOT

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
        return subprocess.run(
            [sys.executable, str(self.root / "deploy/kafka/kafka.py"), *arguments],
            env={"PATH": str(self.root / "bin"), "CALLS": str(self.root / "calls")},
            capture_output=True,
            text=True,
            check=False,
        )

    def install(self, name: str, body: str) -> None:
        file = self.root / "bin" / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def maven_calls(self) -> int:
        calls = self.root / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def jars(self) -> Path:
        """The one folder of jars."""
        [folder] = (self.root / ".kafka").glob("jars-*")
        return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "bin").mkdir()
    mkdir = shutil.which("mkdir")
    assert mkdir, "this machine has no mkdir"
    (tmp_path / "bin" / "mkdir").symlink_to(mkdir)
    shutil.copytree(ROOT / "deploy" / "kafka", tmp_path / "deploy" / "kafka")
    checkout = Checkout(tmp_path)
    checkout.install("java", JAVA)
    checkout.install("mvn", MAVEN)
    return checkout


# --- the choice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configured", "docker", "chosen"),
    [("127.0.0.1:9092", True, "configured"), ("", True, "container"), ("", False, "jars")],
)
def test_what_is_configured_comes_before_docker_and_docker_before_the_jars(
    monkeypatch: pytest.MonkeyPatch, configured: str, *, docker: bool, chosen: str
) -> None:
    monkeypatch.setenv(VARIABLE, configured)
    monkeypatch.setattr(kafka_broker, "docker_answers", lambda: docker)
    assert kafka_broker.choice() == chosen


def test_a_configured_broker_has_to_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        servers = f"127.0.0.1:1,127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv(VARIABLE, servers)
        with real_broker() as found:
            assert found == servers
    with pytest.raises(NoBrokerError, match=VARIABLE), real_broker():
        pytest.fail("there is a broker")


def test_a_command_is_run_with_the_broker_and_its_exit_status_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        env = {**os.environ, VARIABLE: f"127.0.0.1:{listener.getsockname()[1]}"}
        program = f"import os, sys; print(os.environ['{VARIABLE}'], flush=True); sys.exit(7)"
        argv = [sys.executable, str(ROOT / "tests" / "kafka_broker.py"), sys.executable, "-c", program]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (7, env[VARIABLE]), done.stderr
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"no Apache Kafka: no broker of {VARIABLE} accepts connections" in done.stderr


def test_a_docker_client_without_an_engine_is_no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'nothing.sock'}")
    assert not kafka_broker.docker_answers()


def test_a_script_that_ends_is_an_error_with_what_it_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "kafka.py"
    script.write_text("import sys; sys.exit('there is no Java')")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(kafka_broker, "docker_answers", lambda: False)
    monkeypatch.setattr(kafka_broker, "SCRIPT", script)
    with pytest.raises(NoBrokerError, match="there is no Java"), real_broker():
        pytest.fail("there is a broker")


# --- tools and jars -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tool", "arguments"), [("maven", ["run"]), ("openssl", ["run", "--secure", "secrets"])])
def test_a_tool_that_is_missing_is_named(checkout: Checkout, tool: str, arguments: list[str]) -> None:
    if tool == "maven":  # there is no openssl anyway
        (checkout.root / "bin" / "mvn").unlink()
    result = checkout.run(*arguments)
    assert result.returncode == 2
    assert f"install {tool}" in result.stderr


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


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22", ""])
def test_without_a_new_java_it_says_so_before_anything_is_fetched(checkout: Checkout, version: str) -> None:
    checkout.install("java", f"echo 'openjdk version \"{version}\"' >&2")
    result = checkout.run("run")
    assert result.returncode == 2
    assert "needs Java 17 or newer" in result.stderr
    assert checkout.maven_calls() == 0


def test_a_node_that_does_not_start_is_an_error_with_its_log_and_leaves_nothing(checkout: Checkout) -> None:
    checkout.install("java", f"{JAVA} || {{ echo 'Unrecognized VM option'; exit 1; }}")
    result = checkout.run("run")
    assert result.returncode == 4
    assert result.stdout == ""
    assert "Unrecognized VM option" in result.stderr
    assert list((checkout.root / ".kafka" / "run").iterdir()) == []


def test_the_classes_of_one_start_serve_the_later_ones(checkout: Checkout) -> None:
    checkout.install("java", JAVA_THAT_RUNS)
    assert checkout.run("prepare").returncode == 0
    [archive] = checkout.jars().glob("*.jsa")
    assert archive.read_text() == "classes\n"
    assert list((checkout.root / ".kafka" / "run").iterdir()) == []
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


@pytest.mark.parametrize("arguments", [["run", "--nodes", "2"], ["start"], []])
def test_wrong_usage_is_2(checkout: Checkout, arguments: list[str]) -> None:
    assert checkout.run(*arguments).returncode == 2
    assert not os.path.lexists(checkout.root / ".kafka")


def test_two_at_once_fetch_once(checkout: Checkout) -> None:
    checkout.install("mvn", f"{MAVEN}\nsleep 1")
    sleep = shutil.which("sleep")
    assert sleep, "this machine has no sleep"
    (checkout.root / "bin" / "sleep").symlink_to(sleep)
    with ThreadPoolExecutor(2) as runs:
        results = list(runs.map(checkout.run, ["fetch", "fetch"]))
    assert [result.returncode for result in results] == [0, 0]
    assert checkout.maven_calls() == 1


@pytest.mark.parametrize("port", ["0", "65536", "nine", "-1", ""])
def test_a_port_that_is_none_is_one_line_and_exit_code_2(checkout: Checkout, port: str) -> None:
    ended = checkout.run("run", "--port", port)
    assert ended.returncode == 2
    assert f"{port!r} is no port: a number from 1 to 65535" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("nodes", ["1", "3"])
def test_a_port_that_is_taken_is_said_in_one_line_before_anything_is_fetched(checkout: Checkout, nodes: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = checkout.run("run", "--nodes", nodes, "--port", str(port - int(nodes) + 1))
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"kafka: cannot listen on port {port} of 127.0.0.1 (Address already in use)")
    assert "--port" in line
    assert checkout.maven_calls() == 0
