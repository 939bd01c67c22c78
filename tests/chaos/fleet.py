"""The workers of a run: started, watched, started again when they die, and asked what they hold."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from chaos import network
from command import wait_until_gone
from support import ROOT

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_AGAIN = 0.3
"""Seconds until a worker that ended is started again, as a supervisor does."""
_SAMPLE = 0.25
EXIT_FENCED = 6
_ALLOWED = {0, 4, 5, 130, -signal.SIGKILL, -signal.SIGTERM}
"""Ways to end that are no defect: a drain, no broker at its start, given up by itself, cut short, killed, and told to
drain before it could listen."""


class Worker:
    """One place for a worker: its process is replaced when it ends, its name (static membership) and port stay."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path, wire: network.Wire | None) -> None:
        self.name = name
        self.log = log
        self.wire = wire
        self.held: dict[str, int] = {}
        """What it last said that it holds."""
        self.expected_end = False
        self._host = wire.address if wire else "127.0.0.1"
        self._port = _free_port()
        self._env = dict(env) | {PREFIX + "HTTP_PORT": str(self._port)}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start its process."""
        argv = [sys.executable, "-m", "streamverify", "worker"]
        self.expected_end = False
        self.held = {}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.wire.command(argv) if self.wire else argv,
                env=self._env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def url(self) -> str:
        """Where it answers over HTTP."""
        return f"http://{self._host}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def ask(self) -> dict[str, int]:
        """What it holds now; what it last said where it does not answer at once."""
        with suppress(OSError, ValueError, TimeoutError):
            said = await asyncio.to_thread(_get, f"{self.url}/ready")
            self.held = {key: int(said.get(key, 0)) for key in ("in_flight", "queued", "running")}
            self.held["joined"] = int(bool(said.get("joined")))
        return self.held


class Fleet:
    """All workers of a run. A context manager: at its end none is left."""

    def __init__(self, env: Mapping[str, str], folder: Path, *, static: bool, wires: bool) -> None:
        self._env = env
        self._folder = folder
        self._static = static
        self._wires = wires
        self._stack = ExitStack()
        self._made = 0
        self.workers: list[Worker] = []
        self._named_twice: set[str] = set()
        self.ends: Counter[int] = Counter()
        self.defects: list[str] = []
        self.deaths: list[tuple[int, dict[str, int]]] = []
        """Unexpected deaths by SIGKILL (poison): when, in milliseconds, and what the worker last said it held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGKILL)
            if worker.process is not None:
                worker.process.wait()
        wait_until_gone([worker.process.pid for worker in self.workers if worker.process])
        self._stack.close()

    def add(self, taken: str | None = None) -> Worker:
        """One worker more, under a name of its own or under one that is taken."""
        self._made += 1
        name = taken or f"worker-{self._made}"
        if taken:
            self._named_twice.add(taken)
        env = dict(self._env)
        if self._static:
            env[PREFIX + "GROUP_INSTANCE_ID"] = name
        wire = self._stack.enter_context(network.Wire()) if self._wires else None
        worker = Worker(name, env, self._folder / f"{name}{f'-twin-{self._made}' if taken else ''}.log", wire)
        worker.start()
        self.workers.append(worker)
        return worker

    def remove(self, worker: Worker) -> None:
        """Let a worker go; it is not started again."""
        self.workers.remove(worker)
        if worker.process is not None and worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()

    async def watch(self) -> None:
        """Ask the workers what they hold, and start again what has ended, until cancelled."""
        while True:
            await asyncio.gather(*(worker.ask() for worker in self.workers if worker.running))
            for worker in list(self.workers):
                if not worker.running:
                    await self._replace(worker)
            await asyncio.sleep(_SAMPLE)

    async def _replace(self, worker: Worker) -> None:
        code = worker.process.returncode if worker.process else 0
        self.ends[code] += 1
        fenced = code == EXIT_FENCED and worker.name in self._named_twice
        if code not in _ALLOWED and not fenced:
            self.defects.append(f"{worker.name} ended with {code}: {_tail(worker.log)}")
        if code == -signal.SIGKILL and not worker.expected_end:
            self.deaths.append((int(time.time() * 1000), dict(worker.held)))
        await asyncio.sleep(_AGAIN)
        if worker in self.workers:  # it may have been let go meanwhile
            worker.start()

    async def until_joined(self, patience: float) -> None:
        """Wait until every worker has its share.

        Raises:
            TimeoutError: One has not within `patience` seconds.
        """
        try:
            async with asyncio.timeout(patience):
                while not all(worker.held.get("joined") for worker in self.workers):
                    await asyncio.sleep(_SAMPLE)
        except TimeoutError:
            tails = "\n".join(_tail(worker.log) for worker in self.workers)
            raise TimeoutError(f"the workers did not join within {patience:g} s:\n{tails}") from None


def _get(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=0.5) as answer:  # noqa: S310 - http, to our own worker
            said: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        said = json.loads(error.read())
        error.close()
    return said


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-12:])
