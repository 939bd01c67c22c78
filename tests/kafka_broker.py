"""A real Apache Kafka for the tests: the one that is configured, else a container, else its jars.

As a command it says which one the tests will use, starts it, outside of any test's time limit, and runs another
command with it: `make test-kafka` runs pytest so, whose processes share the one broker.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Self

from command import descendants
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

VARIABLE = "STREAMVERIFY_TEST_BOOTSTRAP_SERVERS"
SCRIPT = ROOT / "deploy" / "kafka" / "kafka.py"
IMAGE = "apache/kafka:4.3.0"
_START_TIMEOUT = 300.0
_COMMAND_TIMEOUT = 150.0
_STOP_TIMEOUT = 60.0
_PING = "import docker; docker.from_env(timeout=3).ping()"


class NoBrokerError(Exception):
    """No real Apache Kafka can be had; the message says what was tried."""


def choice() -> Literal["configured", "container", "jars"]:
    """Which real Kafka the tests use on this machine."""
    if os.environ.get(VARIABLE):
        return "configured"
    return "container" if docker_answers() else "jars"


@contextlib.contextmanager
def real_broker() -> Iterator[str]:
    """The bootstrap servers of a real Kafka of one node, for as long as the context lasts.

    Raises:
        NoBrokerError: None could be started or reached.
    """
    chosen = choice()
    if chosen == "configured":
        yield reachable(os.environ[VARIABLE])
    elif chosen == "container":
        with container() as servers:
            yield servers
    else:
        with KafkaNodes() as nodes:
            yield nodes.bootstrap_servers


def reachable(servers: str) -> str:
    """`servers`, of which at least one accepts connections."""
    causes = []
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            causes.append(f"{server}: {error}")
        else:
            return servers
    raise NoBrokerError(f"no broker of {VARIABLE} accepts connections: {'; '.join(causes)}")


def docker_answers() -> bool:
    """Whether a Docker engine answers.

    Asked in a process of its own: the library leaves its socket open when none does, which a test run that
    treats warnings as errors would take for its own fault.
    """
    try:
        ping = subprocess.run([sys.executable, "-c", _PING], capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return ping.returncode == 0


@contextlib.contextmanager
def container() -> Iterator[str]:
    """Kafka in a container, reachable under the address that it advertises."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only where an engine answers
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415 - the same

    kafka = DockerContainer(IMAGE)
    server = f"{kafka.get_container_host_ip()}:{free_port()}"
    kafka = kafka.with_bind_ports(9092, int(server.rpartition(":")[2])).with_envs(**container_settings(server))
    with kafka.waiting_for(LogMessageWaitStrategy("Kafka Server started")):
        yield server


def container_settings(server: str) -> dict[str, str]:
    """The image's environment for one node that clients reach as `server`: what server.properties has."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "CLIENTS://:9092,CONTROLLER://:9093,BROKERS://:9094",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENTS://{server},BROKERS://localhost:9094",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT,BROKERS:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKERS",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
        "KAFKA_NUM_PARTITIONS": "4",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }


class KafkaNodes:
    """Kafka from its jars, by deploy/kafka/kafka.py: one node or three, which can be killed and started again.

    The methods block; a test with an event loop calls them by `asyncio.to_thread`.
    """

    bootstrap_servers: str

    def __init__(self, nodes: Literal[1, 3] = 1, *arguments: str) -> None:
        """`arguments` are further ones for `kafka.py run`."""
        self._nodes = nodes
        self._arguments = arguments

    def __enter__(self) -> Self:
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "run", "--control", "--nodes", str(self._nodes), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        try:
            self.bootstrap_servers = self._read_line(_START_TIMEOUT)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def kill(self, node: int) -> None:
        """SIGKILL the node (1 to 3)."""
        self._command(f"kill {node}")

    def stop(self, node: int) -> None:
        """End the node (1 to 3) in an orderly way."""
        self._command(f"stop {node}")

    def pause(self, node: int) -> None:
        """SIGSTOP the node (1 to 3)."""
        self._command(f"pause {node}")

    def resume(self, node: int) -> None:
        """SIGCONT the node (1 to 3)."""
        self._command(f"continue {node}")

    def start(self, node: int) -> None:
        """Start the node (1 to 3) again with its data and its ports; returns when it is ready."""
        self._command(f"start {node}")

    def processes(self) -> list[int]:
        """The processes of the nodes that are there."""
        return [pid for pid in descendants(self._process.pid) if is_java(pid)]

    def _command(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()
        answer = self._read_line(_COMMAND_TIMEOUT)
        if answer != f"done {command}":
            raise NoBrokerError(f"`{command}`: {answer}\n{self._said()}")

    def _read_line(self, timeout: float) -> str:
        """The script's next line; it writes whole lines, one for each command."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline().decode().strip() if ready else ""
        if not line:
            raise NoBrokerError(
                f"{SCRIPT.name} {'ended' if ready else f'did not answer in {timeout:g} s'}\n{self._said()}"
            )
        return line

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def _end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def is_java(pid: int) -> bool:
    """Whether a process is a node, and not one of those that start it."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip() == "java"
    except OSError:
        return False


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(command: list[str]) -> int:
    """Say which Kafka the tests will use, and run the command with it; its exit status."""
    chosen = choice()
    said = {
        "configured": f"{os.environ.get(VARIABLE)} ({VARIABLE})",
        "container": f"the container {IMAGE}",
        "jars": f"its jars, by {SCRIPT.relative_to(ROOT)} (no {VARIABLE}, no Docker engine answers)",
    }[chosen]
    print(f"Apache Kafka for the tests: {said}", flush=True)  # noqa: T201 - this is a command
    if chosen == "jars":
        prepared = subprocess.run([sys.executable, str(SCRIPT), "prepare"], check=False)
        if prepared.returncode:
            return prepared.returncode
    try:
        with real_broker() as servers, subprocess.Popen(command, env={**os.environ, VARIABLE: servers}) as running:
            # Ctrl-C goes to the whole process group: pytest ends by itself and says how far it came.
            signal.signal(signal.SIGINT, lambda *_: None)
            return running.wait()
    except NoBrokerError as error:
        print(f"no Apache Kafka: {error}", file=sys.stderr)  # noqa: T201 - the same
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
