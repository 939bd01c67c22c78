"""The nodes of a Kafka: configured, formatted, started, signalled. A part of kafka.py."""

# ruff: noqa: INP001 - a folder with one script, no package

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import random
import socket
import string
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jars import HERE, LINES_SHOWN, KafkaError
from secure import PROTOCOLS, Security, make_security

if TYPE_CHECKING:
    import signal

# One thread that collects garbage is enough for so small a heap, and those of the default collector never quite sleep.
JVM_FLAGS = ("-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
READY_LINE = "Kafka Server started"
READY_TIMEOUT = 120.0
STOP_TIMEOUT = 30.0
LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections: no client can sit on the port of a
# node that is down for a moment.
PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Options:
    """What `run` was told besides the number of nodes."""

    folder: Path | None = None
    host: str = LOOPBACK
    port: int | None = None
    """The port of the first node, which the others follow; None: free ones."""
    secure: Path | None = None
    control: bool = False
    settings: tuple[str, ...] = ()
    """Further lines of each node's server.properties."""


@dataclass
class Node:
    """One broker and controller: its folder, its ports, its process."""

    number: int
    folder: Path
    port: int
    controller_port: int
    java: tuple[str, ...]
    """The command line up to the main class."""
    host: str
    """The address of the clients' listeners."""
    settings: tuple[str, ...] = ()
    """Further lines of server.properties."""
    security: Security | None = None
    secure_ports: dict[str, int] = field(default_factory=dict)
    """Ports of the further listeners by protocol."""
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """What the node prints."""
        return self.folder / "server.log"

    def configure(self, nodes: list[Node]) -> None:
        """Write the node's server.properties."""
        template = string.Template((HERE / "server.properties").read_text())
        more = self.security.properties(self.host, self.secure_ports) if self.security else {}
        text = template.substitute(
            node=self.number,
            host=self.host,
            port=self.port,
            controller_port=self.controller_port,
            voters=",".join(f"{node.number}@127.0.0.1:{node.controller_port}" for node in nodes),
            replicas=len(nodes),
            in_sync=len(nodes) // 2 + 1,
            listeners=_continued(more.pop("listeners", "")),
            protocols=_continued(more.pop("protocols", "")),
        )
        text += "".join(f"{name}={value}\n" for name, value in more.items())
        text += "".join(f"{line}\n" for line in self.settings)
        self.folder.mkdir()
        (self.folder / "server.properties").write_text(text)

    async def run_java(self, *command: str) -> asyncio.subprocess.Process:
        """Start a main class of Kafka in the node's folder, its output in the node's log."""
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.java,
                *command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def format(self, cluster_id: str) -> None:
        """Make the node's data folder a part of the cluster."""
        flags = self.security.format_flags() if self.security else []
        tool = await self.run_java(
            "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", "server.properties", *flags
        )
        if await tool.wait():
            raise self.failure("could not be formatted")

    async def start(self) -> None:
        """Start the node and wait until it serves."""
        begin = self.log.stat().st_size
        self.process = await self.run_java("kafka.Kafka", "server.properties")
        deadline = time.monotonic() + READY_TIMEOUT
        while READY_LINE not in self.log_since(begin):
            if self.process.returncode is not None:
                raise self.failure(f"ended with status {self.process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready within {READY_TIMEOUT:g} s")
            await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> None:
        """Send the node a signal and wait for its end."""
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send the node a signal, where it runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    def log_since(self, begin: int) -> str:
        """What the node printed after byte `begin` of its log."""
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    def failure(self, what: str) -> KafkaError:
        """An error with the end of the node's log, which is about to be removed."""
        tail = "\n".join(self.log_since(0).splitlines()[-LINES_SHOWN:])
        return KafkaError(f"{tail}\nnode {self.number} {what}; the end of its log is above")


def _continued(items: str) -> str:
    """Further items of a list."""
    return f",{items}" if items else ""


def make_nodes(count: int, folder: Path, jars: Path, java: str, options: Options) -> list[Node]:
    """`count` nodes, configured."""
    security = make_security(options.secure) if options.secure else None
    logging = f"-Dlog4j2.configurationFile={(HERE / 'log4j2.properties').as_uri()}"
    archive = archive_of(jars, java)
    shared = (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()
    command = (java, *JVM_FLAGS, *shared, logging, "-cp", f"{jars}/*")
    extra = PROTOCOLS if security else ()
    ports = free_ports((2 + len(extra)) * count)
    nodes = [
        Node(
            number,
            folder / f"node-{number}",
            ports.pop() if options.port is None else options.port + number - 1,
            ports.pop(),
            command,
            options.host,
            options.settings,
            security,
            {protocol: ports.pop() for protocol in extra},
        )
        for number in range(1, count + 1)
    ]
    if security and options.secure:
        for protocol in extra:
            security.servers[protocol] = ",".join(f"{node.host}:{node.secure_ports[protocol]}" for node in nodes)
        security.write(options.secure)
    for node in nodes:
        node.configure(nodes)
    return nodes


def archive_of(jars: Path, java: str) -> Path:
    """The archive of Kafka's classes (archive.py) for this very `java`: after an upgrade of it, another one."""
    binary = Path(java).resolve()
    return jars / f"classes-{hashlib.sha256(f'{binary} {binary.stat().st_mtime_ns}'.encode()).hexdigest()[:12]}.jsa"


def free_ports(count: int) -> list[int]:
    """Different loopback ports on which nothing listens."""
    free = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            return free
    raise KafkaError(f"there are no {count} free ports between {PORTS.start} and {PORTS.stop} on 127.0.0.1")


def require_free(host: str, ports: range) -> None:
    """See that nothing listens on these ports.

    Raises:
        KafkaError: Something does, or one of them may not be used.
    """
    for port in ports:
        with socket.socket() as probe:
            # As Java does: what only waits for the last packets of an ended listener is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen()
            except (OSError, OverflowError) as error:
                raise KafkaError(
                    f"cannot listen on port {port} of {host} ({getattr(error, 'strerror', None) or error}): is another "
                    "Kafka running there? Name another with --port, or leave --port out for a free one",
                    2,
                ) from None


def new_cluster_id() -> str:
    """A random UUID as Kafka writes it; the leading letter keeps it from looking like a flag."""
    return "K" + base64.urlsafe_b64encode(os.urandom(16)).decode()[1:22]
