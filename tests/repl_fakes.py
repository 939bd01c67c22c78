"""What tests of the driver and the pool share: the scripted REPL, jobs for it, and a look for processes left behind."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import ROOT

from streamverify.core.job import Job, Record, RecordId
from streamverify.core.messages.models import ProofRequest, Source
from streamverify.core.syntax.header import parse_header
from streamverify.lean.pool import Pool, PoolLimits
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.usage import private, tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from streamverify.core.job import Verdict
    from streamverify.core.messages.models import VerifierKind
    from streamverify.core.scheduling.scheduler import Rules

FAKE = ROOT / "tests" / "fakes" / "fake_repl.py"
SOURCE = Source(topic="t", partition=0, offset=0, timestamp=0)
LIMITS = PoolLimits(import_timeout=20.0, default_timeout=20.0, max_timeout=30.0, max_answer_bytes=8 << 20)
OVERSHOOT = 256 << 20
"""Bytes beyond its budget after which a test says that the memory watch came too late.

docs/memory.md measures 64 MiB; a test shares its cores with others, and how soon the watch has its turn is theirs.
"""

_MARK = "FAKE_REPL_RUN"
_offsets = itertools.count()


@pytest.fixture
def no_process_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder in which fakes remember things; when the test is over none of them may live."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(_MARK, mark)
    monkeypatch.setenv("FAKE_STATE", str(tmp_path))
    yield tmp_path
    deadline = time.monotonic() + 5
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == [], left


def marked(mark: str) -> list[str]:
    """The living processes with this mark in their environment, and zombies of ours."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if stat[0] == "Z":
                if int(stat[1]) == os.getpid():
                    found.append(f"zombie {folder.name}")
            elif f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(folder.name)
        except OSError:
            continue
    return found


def fake(*arguments: str, kind: VerifierKind = "lean", wrapped: bool = False) -> ReplCommand:
    """The scripted REPL."""
    argv = (sys.executable, "-S", "-E", str(FAKE), *arguments)
    return ReplCommand(argv=argv, env=None, cwd=None, kind=kind, wrapped=wrapped)


def job(proof: str, **request: Any) -> Job:
    """A job as the worker makes them."""
    custom_id = request.pop("custom_id", "id")
    return Job(
        record=Record(RecordId(0, next(_offsets), 0), SOURCE, None, None, [], time.monotonic()),
        request=ProofRequest(custom_id=custom_id, proof=proof, **request),
        header=parse_header(proof),
    )


class Bench:
    """A pool and what came of the jobs it was given."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.finished: list[str] = []

    def submit(self, proof: str, **request: Any) -> asyncio.Future[Verdict]:
        outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

        def on_done(done: Job, verdict: Verdict) -> None:
            self.finished.append(done.request.custom_id)
            outcome.set_result(verdict)

        self.pool.submit(job(proof, **request), on_done)
        return outcome

    async def verify(self, proof: str, **request: Any) -> Verdict:
        return await asyncio.wait_for(self.submit(proof, **request), 60)


@asynccontextmanager
async def bench(
    command: ReplCommand | None = None, *, slots: int = 1, limits: PoolLimits = LIMITS, rules: Rules | None = None
) -> AsyncIterator[Bench]:
    """A started pool, closed at the end."""
    pool = Pool(command or fake(), slots=slots, limits=limits, rules=rules)
    await pool.start()
    try:
        yield Bench(pool)
    finally:
        await pool.close()


def starts(folder: Path) -> int:
    """How many processes were started in a test."""
    file = folder / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


def living(folder: Path) -> list[str]:
    """The processes started in a test that are still there."""
    return [pid for pid in (folder / "starts").read_text().split() if Path("/proc", pid).exists()]


@asynccontextmanager
async def largest_process() -> AsyncIterator[Callable[[], int]]:
    """Look at the processes below this one all the time; says the most private memory that one of them had."""
    most = 0

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, *map(private, tree(os.getpid())[1:]), 0)
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    try:
        yield lambda: most
    finally:
        looking.cancel()


async def until(condition: Any, what: str, seconds: float = 120.0) -> None:
    """Wait until `condition()` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)
