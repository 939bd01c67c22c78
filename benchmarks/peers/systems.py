"""Runs a system on the file of proofs: LeanInteract, kimina's server, and our worker."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.end_to_end import a_worker, fresh_topics
from benchmarks.peers.cases import Answer, Case
from benchmarks.peers.figures import Run, Said
from benchmarks.peers.memory import Peak
from streamverify.client import AsyncClient
from streamverify.core.messages.models import Assurance, ProofRequest, Status
from streamverify.lean.repl.usage import tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streamverify.core.messages.models import ProofResult

DRIVERS = Path(__file__).parent / "drivers"
_START_SECONDS = 120
_ANSWERS = {Status.VERIFIED: Answer.VALID, Status.REJECTED: Answer.INVALID}


@dataclass(frozen=True, slots=True)
class Plan:
    """What every system gets."""

    repl: str
    """The executable, as our setting REPL names it."""
    script: Path
    """The same as a script, below the folder in which LeanInteract looks for it."""
    lake: Path
    """Lake, or what stands in for it where there is no project."""
    project: Path | None
    slots: int
    in_flight: int
    timeout: int
    memory: int
    """MiB that a REPL may have: each system watches it in its own way."""
    headers: Sequence[str]
    cases: Sequence[Case]
    file: Path
    """The cases."""
    folder: Path
    """For logs and configurations; gone afterwards."""

    @property
    def warm_up(self) -> list[Case]:
        """Small proofs of every header, as many as reach every slot; no two alike, or a cache would answer them."""
        return [
            Case(f"warm-{number}-{each}", f"{header}\ntheorem warm_{each} : 1 = 1 := rfl\n", (Answer.VALID,))
            for each in range(4 * self.slots)
            for number, header in enumerate(self.headers)
        ]


def lean_interact(plan: Plan, python: Path, version: str, mode: str) -> Run:
    """Run LeanInteract in its own process."""
    named = {"whole": "whole files", "env": "header kept"}[mode]
    config = {
        "mode": mode,
        "repl_folder": str(plan.script.parents[3]),
        "lake": str(plan.lake),
        "project": str(plan.project) if plan.project else None,
    }
    return _drive(plan, f"LeanInteract {version}, {named}", python, "lean_interact_driver.py", config)


def kimina(plan: Plan, python: Path, extra: Mapping[str, str], checkout: Path, mode: str) -> Run:
    """Run kimina's server from its checkout, and its client."""
    port = _free_port()
    environment = os.environ | extra | {
        "PATH": f"{plan.lake.parent}:{os.environ['PATH']}",
        "LEAN_SERVER_HOST": "127.0.0.1",
        "LEAN_SERVER_PORT": str(port),
        "LEAN_SERVER_ENVIRONMENT": "prod",
        "LEAN_SERVER_LOG_LEVEL": "ERROR",
        "LEAN_SERVER_MAX_REPLS": str(plan.slots),
        "LEAN_SERVER_MAX_REPL_MEM": f"{plan.memory}M",
        "LEAN_SERVER_REPL_PATH": str(plan.script),
        "LEAN_SERVER_PROJECT_DIR": str(plan.project or plan.folder),
        # Its logging asks whether this is a machine of Google's, and waits for the answer.
        "NO_GCE_CHECK": "true",
    }  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    named = {"check": "batches of 8", "verify": "/verify"}[mode]
    log = plan.folder / f"kimina-{mode}.log"
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [python, "-m", "server"], cwd=checkout, env=environment, stdout=said, stderr=subprocess.STDOUT
        ) as server,
    ):
        try:
            _wait_for(f"{url}/health", server, log)
            config = {"mode": mode, "url": url}
            return _drive(plan, f"kimina server, {named}", python, "kimina_driver.py", config, server=server.pid)
        finally:
            _end(server)


async def ours(plan: Plan, servers: str, broker: str, require: Assurance) -> Run:
    """Run our worker on the broker, and our client."""
    settings = await fresh_topics(servers)
    with (
        _environment(
            STREAMVERIFY_LEAN_PROJECT=str(plan.project or ""), STREAMVERIFY_MEMORY_PER_REPL=f"{plan.memory}MiB"
        ),
        a_worker(settings, plan.repl, plan.slots) as pid,
    ):
        async with AsyncClient(settings, max_in_flight=plan.in_flight) as client:
            with Peak([pid]) as memory, Peak(_broker_processes(pid)) as beside:
                await _verified(client, plan, plan.warm_up, require)
                begun = time.perf_counter()
                said = await _verified(client, plan, [case for case in plan.cases if not case.trap], require)
                elapsed = time.perf_counter() - begun
                said += await _verified(client, plan, [case for case in plan.cases if case.trap], require)
    name = f"streamverify, {require}, on {broker}"
    return Run(name, elapsed, said, memory.peak.pss, memory.peak.rss, beside.peak.pss)


async def _verified(client: AsyncClient, plan: Plan, cases: Sequence[Case], require: Assurance) -> list[Said]:
    """Send each as soon as the client takes it."""
    begun: list[float] = []

    def requests() -> Iterator[ProofRequest]:
        for case in cases:
            begun.append(time.perf_counter())
            fields = {"custom_id": case.id, "proof": case.proof, "timeout": float(plan.timeout), "require": require}
            yield ProofRequest.model_validate(fields)

    said = []
    async with aclosing(client.verify_each(requests())) as answers:
        async for answer in answers:
            seconds = time.perf_counter() - begun[answer.index]
            said.append(Said(cases[answer.index].id, _answer(answer.result), seconds, answer.result.reason))
    return said


def _answer(result: ProofResult) -> Answer:
    return _ANSWERS.get(Status(result.status), Answer.NONE)


def _drive(  # noqa: PLR0913 - what it is called with
    plan: Plan, system: str, python: Path, driver: str, config: dict[str, Any], *, server: int | None = None
) -> Run:
    """Run a driver in its environment; the memory is the server's, or its own where it has none."""
    config |= {
        "cases": str(plan.file),
        "warm_up": [{"id": case.id, "proof": case.proof, "trap": ""} for case in plan.warm_up],
        "slots": plan.slots,
        "in_flight": plan.in_flight,
        "timeout": plan.timeout,
        "memory": plan.memory,
    }
    file = plan.folder / f"{driver}-{config['mode']}.json"
    output, log = file.with_suffix(".said"), file.with_suffix(".log")
    file.write_text(json.dumps(config | {"output": str(output)}), "utf-8")
    with (
        log.open("wb") as errors,
        subprocess.Popen([python, DRIVERS / driver, file], stdout=errors, stderr=subprocess.STDOUT) as process,
        Peak([server or process.pid]) as memory,
    ):
        try:
            process.wait()
        finally:
            _end(process)
    if process.returncode != 0:
        raise SystemExit(f"{system} failed with {process.returncode}:\n{log.read_text('utf-8', 'replace')[-2000:]}")
    found = json.loads(output.read_text("utf-8"))
    said = [Said(each["id"], Answer(each["answer"]), each["seconds"], each["detail"]) for each in found["said"]]
    return Run(system, found["elapsed"], said, memory.peak.pss, memory.peak.rss)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - an address of our own
            if response.status == 200:
                return
        time.sleep(0.3)
    raise SystemExit(f"kimina's server did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _broker_processes(worker: int) -> list[int]:
    """Return the processes that this one started for a broker: all but the worker. The embedded one has none."""
    return [pid for pid in tree(os.getpid())[1:] if pid not in tree(worker)]


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: value for name, value in variables.items() if value})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
