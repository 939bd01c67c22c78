#!/usr/bin/env python3
"""A real Apache Kafka on this machine, from its jars: for tests and trials where there is no Docker.

    deploy/kafka/kafka.py run [--port PORT] [--nodes 1|3] [--dir DIR] [--host ADDRESS] [--secure DIR]
                               [--set NAME=VALUE ...]

fetches the jars once (with Maven, into `.kafka/` of this checkout), formats and starts one or three nodes
(KRaft, broker and controller in one), waits until they are ready and then prints the bootstrap servers as the one
line of stdout; stderr says where the data is and how to stop it. Clients find the first node at PORT, the others at the
ports after it; without `--port` free loopback ports are taken. It runs until SIGTERM or Ctrl-C, also when the shell
or script that started it ends:

    nohup deploy/kafka/kafka.py run --port 9092 &

The data is in a folder below `.kafka/run/` (or DIR) and is removed when it stops, even by `kill -9`: this is a
Kafka for tests and trials, and keeps nothing.

With `--control` it reads commands from stdin, one a line, and answers each with a line on stdout, for tests
in which brokers die: `kill N` (SIGKILL), `stop N` (an orderly end), `start N`, `pause N` (SIGSTOP) and
`continue N` (SIGCONT). The end of stdin ends it.

With `--host` the clients' listener is at another address of this machine, for clients in network namespaces.
With `--secure DIR` the nodes also listen with SASL_PLAINTEXT, SSL and SASL_SSL, and obey ACLs there; what clients
need for it is made in DIR (see `secure.py`). With `--set NAME=VALUE` they have further settings of Kafka's.

    deploy/kafka/kafka.py fetch

only fetches the jars.

Exit codes: 0 stopped as asked, 2 wrong usage or a missing tool, 4 Kafka did not start or ended by itself.

Needs Python 3.11, Java 17 and, the first time, Maven; Linux. Uses the standard library alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jars import HERE, LINES_SHOWN, KafkaError, fetch_jars, find_java, say
from secure import PROTOCOLS, Security, make_security

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

CACHE = HERE.parent.parent / ".kafka"
JVM_FLAGS = ("-Xmx384m", "-XX:TieredStopAtLevel=1")
READY_LINE = "Kafka Server started"
READY_TIMEOUT = 120.0
STOP_TIMEOUT = 30.0
LOOPBACK = "127.0.0.1"
VERBS = ("kill", "stop", "pause", "continue", "start")
# Below the range from which Linux takes the ports of outgoing connections: no client can sit on the port of a
# node that is down for a moment.
PORTS = range(20_000, 32_000)


def answer(line: str) -> None:
    """Tell the program that reads stdout."""
    print(line, flush=True)  # noqa: T201 - this is a command


# --- folders, and who cleans them up ------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; BlockingIOError where another process has it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextlib.asynccontextmanager
async def cache_to_ourselves() -> AsyncIterator[None]:
    """Wait until no other run works on the cache; in the event loop, so that signals are heard meanwhile."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(CACHE / "lock"))
                break
            except BlockingIOError:
                await asyncio.sleep(0.1)
        yield


def nodes_in(folder: Path) -> list[int]:
    """The pids of the Java processes whose working directory is below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder in (process / "cwd").readlink().parents and b"\0kafka." in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def clean_up(folder: Path) -> None:
    """Kill the nodes that run in `folder`, and remove it."""
    while nodes := nodes_in(folder):
        for pid in nodes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def sweep(runs: Path) -> None:
    """Clean up after runs whose process and guard were both killed; those still going hold their lock."""
    for lock in runs.glob("*/lock"):
        with contextlib.suppress(BlockingIOError), locked(lock):
            clean_up(lock.parent)


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Whatever ends this process, SIGKILL included, `clean_up(folder)` follows.

    A second process waits for the end of a pipe that only this process holds open.
    """
    guard = subprocess.Popen(
        [sys.executable, __file__, "guard", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        if guard.stdin is not None:
            guard.stdin.close()
        guard.wait()


def guard(folder: Path) -> None:
    """The guard's whole life."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    clean_up(folder)


@contextlib.asynccontextmanager
async def workplace(wanted: Path | None) -> AsyncIterator[tuple[Path, Path]]:
    """The folder with the jars, and an empty one for this run that is gone afterwards."""
    runs = CACHE / "run"
    with contextlib.ExitStack() as stack:
        async with cache_to_ourselves():
            jars = await fetch_jars(CACHE)
            sweep(runs)
            folder = new_folder(wanted, runs)
            stack.enter_context(locked(folder / "lock"))
        stack.enter_context(guarded(folder))
        yield jars, folder


def new_folder(wanted: Path | None, runs: Path) -> Path:
    """Make the run's folder; refuse one with files, because it will be removed."""
    if wanted is None:
        runs.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=runs))
    wanted.mkdir(parents=True, exist_ok=True)
    if any(wanted.iterdir()):
        raise KafkaError(f"--dir {wanted} is not empty, and would be removed at the end: name a new folder", 2)
    return wanted.resolve()


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


# --- nodes --------------------------------------------------------------------------------------------------


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
    command = (java, *JVM_FLAGS, logging, "-cp", f"{jars}/*")
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


# --- a run --------------------------------------------------------------------------------------------------


async def run(count: int, options: Options) -> None:
    """Run `count` nodes until cancelled, or with `--control` until the end of stdin.

    Raises:
        KafkaError: A tool is missing, or no node runs (any more).
    """
    java = find_java()
    if options.port is not None:
        # Before anything is fetched.
        require_free(options.host, range(options.port, options.port + count))
    async with workplace(options.folder) as (jars, folder):
        nodes = make_nodes(count, folder, jars, java, options)
        cluster_id = new_cluster_id()
        began = time.monotonic()
        await asyncio.gather(*(node.format(cluster_id) for node in nodes))
        await asyncio.gather(*(node.start() for node in nodes))
        servers = ",".join(f"{node.host}:{node.port}" for node in nodes)
        say(f"{count} node{'s' * (count > 1)} ready at {servers} in {time.monotonic() - began:.1f} s")
        say(f"data and logs are in {folder}, and are removed when it stops")
        if options.control:
            answer(servers)
            await obey(nodes)
        else:
            say(f"stop it with Ctrl-C or `kill {os.getpid()}`; the end of the shell that started it does not")
            answer(servers)
            await watch(nodes)


async def fetch() -> None:
    """Fetch the jars, and no more."""
    async with cache_to_ourselves():
        await fetch_jars(CACHE)


async def watch(nodes: list[Node]) -> None:
    """Raise when a node has ended."""
    while True:
        for node in nodes:
            if node.process is None or node.process.returncode is not None:
                raise node.failure("ended by itself")
        await asyncio.sleep(0.5)


async def obey(nodes: list[Node]) -> None:
    """Carry out the commands on stdin until its end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    by_number = {str(node.number): node for node in nodes}
    while line := (await reader.readline()).decode():
        verb, _, number = line.strip().partition(" ")
        node = by_number.get(number)
        if node is None or verb not in VERBS:
            answer(f"error: {line.strip()!r} is not {', '.join(VERBS[:-1])} or {VERBS[-1]} and the number of a node")
            continue
        try:
            await carry_out(verb, node)
        except KafkaError as error:
            say(str(error))
            answer(f"error: {str(error).splitlines()[-1]}")
        else:
            answer(f"done {verb} {number}")


async def carry_out(verb: str, node: Node) -> None:
    """One command."""
    if verb == "kill":
        await node.end(signal.SIGKILL)
    elif verb == "stop":
        await node.end(signal.SIGTERM)
    elif verb == "pause":
        node.signal(signal.SIGSTOP)
    elif verb == "continue":
        node.signal(signal.SIGCONT)
    elif node.process is None or node.process.returncode is not None:
        await node.start()


def a_port(text: str) -> int:
    """The value of `--port`."""
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def run_until_told(work: Coroutine[None, None, None]) -> int:
    """Run `work` in an event loop that a signal ends; the exit code."""

    async def main() -> None:
        running = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup has SIGHUP ignored, and a script's shell SIGINT for what it starts with `&`: so it stays.
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        await running

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        say("stopped")
    except KafkaError as error:
        say(str(error))
        return error.code
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,fetch}")
    runner = commands.add_parser("run", help="run Kafka in the foreground")
    runner.add_argument("--nodes", type=int, choices=(1, 3), default=1, help="how many nodes (default 1)")
    runner.add_argument("--dir", type=Path, help="a new folder for data and logs, removed at the end")
    runner.add_argument("--port", type=a_port, help="the port of the first node, such as 9092 (default: a free one)")
    runner.add_argument("--host", default=LOOPBACK, help="the address for clients (default 127.0.0.1)")
    runner.add_argument(
        "--secure", type=Path, metavar="DIR", help="also listen with SASL and SSL; their secrets in DIR"
    )
    runner.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="a further setting of the brokers; repeatable",
    )
    runner.add_argument("--control", action="store_true", help="obey commands on stdin, and end with it")
    commands.add_parser("fetch", help="only fetch the jars")
    guarding = commands.add_parser("guard")
    guarding.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "guard":
        guard(arguments.folder)
        return 0
    if arguments.command == "fetch":
        return run_until_told(fetch())
    options = Options(
        arguments.dir,
        arguments.host,
        arguments.port,
        arguments.secure,
        arguments.control,
        tuple(arguments.settings),
    )
    return run_until_told(run(arguments.nodes, options))


if __name__ == "__main__":
    sys.exit(main())
