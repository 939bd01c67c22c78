"""The folders of a run, and who cleans them up, whatever ends it. A part of kafka.py."""

# ruff: noqa: INP001 - a folder with one script, no package

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jars import HERE, KafkaError, fetch_jars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

CACHE = HERE.parent.parent / ".kafka"
"""Where the jars and the folders of the runs are."""


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
        [sys.executable, HERE / "kafka.py", "guard", folder], stdin=subprocess.PIPE, start_new_session=True
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
