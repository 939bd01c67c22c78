"""The memory watch: what one look at many REPLs costs, and how far beyond its budget a REPL gets.

Cost: programs with as many threads as a Lean has, in the sandbox where there is one, each a REPL to the watch. A look
is taken with the trees of processes as they were, and with all of them read anew, as after something was started.

Overshoot: the synthetic REPL takes memory as fast as it can, and its private memory is sampled every millisecond.

    python -m benchmarks.memory_watch cost overshoot [--slots 64] [--threads 6]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING
from unittest import mock

from streamverify.lean.repl import memory_watch
from streamverify.lean.repl.command import ProcessLimits, ReplCommand
from streamverify.lean.repl.errors import MemoryExceeded
from streamverify.lean.repl.memory_watch import MemoryWatch
from streamverify.lean.repl.protocol import encode_command
from streamverify.lean.repl.sandbox import confine
from streamverify.lean.repl.session import ReplSession
from streamverify.lean.repl.usage import private, tree

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024**2
LOOKS = 50
BUDGET = 512 * MIB
THREADS = """
import sys, threading, time
for _ in range(int(sys.argv[1]) - 1):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
print('{"env": 0}', end="\\n\\n", flush=True)
time.sleep(3600)
"""


async def sandboxed(argv: tuple[str, ...], cwd: Path | None, limits: ProcessLimits) -> ReplCommand:
    """The command in the sandbox, where there is one."""
    command = ReplCommand(argv, None, cwd, "synthetic", wrapped=False, limits=limits)
    return await confine(command, mode="bwrap" if shutil.which("bwrap") else "none")


async def cost(slots: int, threads: int) -> None:
    """Print the CPU time of a look at so many REPLs."""
    command = await sandboxed((sys.executable, "-S", "-c", THREADS, str(threads)), None, ProcessLimits())
    sessions = [ReplSession(command, max_answer_bytes=MIB) for _ in range(slots)]
    try:
        await asyncio.gather(*(session.ask(encode_command(""), 600) for session in sessions))
        print(f"{slots} REPLs of {len(tree(sessions[0].pid))} processes, {threads} threads, sandbox {command.sandbox}")
        # A budget that is far away, and one that the mapped files alone exceed.
        for name, budget in (("resident below the budget", BUDGET), ("resident above it", 0)):
            watch = MemoryWatch()
            for session in sessions:
                watch.add(session.pid, budget or largest_private(session.pid), lambda _used: None)
            quiet, anew = seconds_of(watch, anew=False), seconds_of(watch, anew=True)
            print(f"  {name}: {quiet * 1000:.2f} ms, with every tree read anew {anew * 1000:.2f} ms")
            for session in sessions:
                watch.remove(session.pid)
    finally:
        for session in sessions:
            session.kill()
        await asyncio.gather(*(session.close() for session in sessions))


def largest_private(pid: int) -> int:
    """A budget that its private memory just meets, so that the watch has to ask for that."""
    return sum(map(private, tree(pid)))


def seconds_of(watch: MemoryWatch, *, anew: bool) -> float:
    """CPU seconds of one look, whatever else starts on this machine meanwhile."""
    newest = map(str, itertools.count() if anew else itertools.repeat(0))
    with mock.patch.object(memory_watch, "newest_pid", side_effect=newest):
        watch.look()
        begun = time.process_time()
        for _ in range(LOOKS):
            watch.look()
        return (time.process_time() - begun) / LOOKS


async def overshoot(runs: int) -> None:
    """Print how far beyond its budget a REPL was when it was ended."""
    argv = (sys.executable, "-m", "streamverify.standins.synthetic")
    command = await sandboxed(argv, None, ProcessLimits(memory=BUDGET))
    beyond = []
    for _ in range(runs):
        session = ReplSession(command, max_answer_bytes=MIB)
        await session.ask(encode_command("import A"), 60)
        most, stop = [0], threading.Event()
        # In a thread: the loop is the watch's.
        sampler = threading.Thread(target=sample, args=(tree(session.pid), most, stop))
        sampler.start()
        try:
            await session.ask(encode_command("-- synthetic: alloc=8000 service=60", env=0), 60)
        except MemoryExceeded as ended:
            print(f"  {ended}")
        await session.close()
        stop.set()
        sampler.join()
        beyond.append(most[0] - BUDGET)
    print(f"beyond {BUDGET // MIB} MiB: {sorted(size // MIB for size in beyond)} MiB")


def sample(pids: list[int], most: list[int], stop: threading.Event) -> None:
    """Keep the most private memory that the processes have together."""
    while not stop.is_set():
        most[0] = max(most[0], sum(map(private, pids)))
        time.sleep(0.001)


def main() -> None:
    """Run what is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=("cost", "overshoot"))
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--runs", type=int, default=8)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if "cost" in arguments.what:
        asyncio.run(cost(arguments.slots, arguments.threads))
    if "overshoot" in arguments.what:
        asyncio.run(overshoot(arguments.runs))


if __name__ == "__main__":
    main()
