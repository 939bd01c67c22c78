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

    deploy/kafka/kafka.py prepare

fetches them and lets a node start once, whose classes it keeps for this Java: later nodes start in two thirds of the
time. For who starts many of them, as the tests do.

Exit codes: 0 stopped as asked, 2 wrong usage or a missing tool, 4 Kafka did not start or ended by itself.

Needs Python 3.11, Java 17 and, the first time, Maven; Linux. Uses the standard library alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from archive import make_archive
from folders import CACHE, cache_to_ourselves, guard, workplace
from jars import KafkaError, fetch_jars, find_java, say
from nodes import LOOPBACK, Node, Options, make_nodes, new_cluster_id, require_free

if TYPE_CHECKING:
    from collections.abc import Coroutine

VERBS = ("kill", "stop", "pause", "continue", "start")


def answer(line: str) -> None:
    """Tell the program that reads stdout."""
    print(line, flush=True)  # noqa: T201 - this is a command


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
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,fetch,prepare}")
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
    commands.add_parser("prepare", help="fetch the jars, and make later starts of nodes faster")
    guarding = commands.add_parser("guard")
    guarding.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "guard":
        guard(arguments.folder)
        return 0
    if arguments.command == "fetch":
        return run_until_told(fetch())
    if arguments.command == "prepare":
        return run_until_told(make_archive())
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
