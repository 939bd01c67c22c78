"""The resources of this machine or container (cores, memory, processes, files), and how many REPLs run in them."""

from __future__ import annotations

import contextlib
import math
import os
import resource
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamverify.lean.repl.command import ReplCommand
    from streamverify.settings import Settings

T = TypeVar("T", int, float)

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
_OVERCOMMIT = "sys/vm/overcommit_memory"

GIB = 1 << 30
MATHLIB_BYTES = 4 * GIB
LEAN_BYTES = GIB
STAND_IN_BYTES = 64 << 20

WORKERS_OWN = 256 << 20
"""Bytes that the worker itself needs."""

MATHLIB_LIBRARIES = 3 * GIB
LEAN_LIBRARIES = GIB // 2
"""Bytes of mapped libraries to keep in memory for all REPLs together: see `docs/memory.md`."""

_UNLIMITED = 1 << 60
"""From here on a number of bytes means no limit: cgroup v1 writes the largest multiple of a page."""


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """The number of REPLs that run here, and the reasons for it.

    `spares` are processes beyond the slots, which wait warm. `memory`, `memory_per_repl` and `shared` are in bytes;
    `shared` is the part of `memory` that no single REPL gets: the worker's own, and the libraries that all of them map.
    """

    slots: int
    spares: int
    cores: int
    memory: int | None
    memory_per_repl: int
    warnings: tuple[str, ...] = ()
    shared: int = 0

    @property
    def threads(self) -> int:
        """The threads that each Lean may use: its part of the cores."""
        return max(1, self.cores // self.slots)


def plan_slots(slots: int | None, memory_per_repl: int, cores: int, memory: int | None, *, shared: int = 0) -> SlotPlan:
    """Plan as many slots as there are cores and as memory has room for, or as many as was asked for.

    Half of the memory that is then left may be spares', at most one a slot: Lean's libraries are mapped files, and
    want the rest as page cache.

    Args:
        slots: The setting; None: decide.
        memory_per_repl: Bytes that one process may need.
        cores: As `available_cores` says.
        memory: Bytes for everything, as `memory_bytes` says; None where it is not known.
        shared: Bytes of that which are no REPL's own, as `shared_bytes` says.
    """
    room = None if memory is None else max(0, memory - shared)
    # One slot at least, even where memory is short: the warning below says so, and small headers may fit.
    fitting = max(1, room // memory_per_repl) if room is not None else cores
    chosen = min(cores, fitting) if slots is None else slots
    # Where memory is not known there are no spares: they are an offer, and may cost a proof its process.
    left = max(0, fitting - chosen) if room is not None else 0
    per = f"{memory_per_repl / GIB:g} GiB a REPL"
    warnings = []
    if room is not None and room < memory_per_repl * chosen:
        warnings.append(f"memory is for {room // memory_per_repl} slots at {per}, not for {chosen}")
    if slots is None and fitting < cores:
        warnings.append(f"of {cores} cores only {chosen} are used: memory has room for no more at {per}")
    if slots is not None and slots > cores:
        warnings.append(f"{slots} slots on {cores} cores: proofs take longer and may time out")
    return SlotPlan(chosen, min(left // 2, chosen), cores, memory, memory_per_repl, tuple(warnings), shared)


def plan_for(settings: Settings, command: ReplCommand | None) -> SlotPlan:
    """Return the plan of a worker here. `command` is None where no REPL was found: then its memory is not counted."""
    asked = None if settings.slots == "auto" else settings.slots
    if settings.memory_per_repl != "auto":
        per_repl = int(settings.memory_per_repl)
    else:
        per_repl = STAND_IN_BYTES if command is None else memory_needed(command)
    shared = WORKERS_OWN if command is None else shared_bytes(command)
    # A step above `audited` may use as much as a REPL; room for it is set aside where such a tier is asked for.
    shared += per_repl * reserved_for_tiers(settings)
    return plan_slots(asked, per_repl, available_cores(), memory_bytes(), shared=shared)


def reserved_for_tiers(settings: Settings) -> int:
    """Return how many REPLs' worth of memory the steps above `audited` get: none where only single requests ask."""
    asked = {settings.require, settings.require_min, settings.upgrade}
    return settings.replay_slots if asked & {"replayed", "cross_checked"} else 0


def memory_needed(command: ReplCommand) -> int:
    """Return the bytes of private memory to plan for one process, where the setting MEMORY_PER_REPL does not say."""
    if command.kind != "lean":
        return STAND_IN_BYTES
    return MATHLIB_BYTES if _has_mathlib(command) else LEAN_BYTES


def shared_bytes(command: ReplCommand) -> int:
    """Return the bytes that are no REPL's own: the worker's, and those of the libraries that the REPLs share."""
    if command.kind != "lean":
        return WORKERS_OWN
    return WORKERS_OWN + (MATHLIB_LIBRARIES if _has_mathlib(command) else LEAN_LIBRARIES)


def memory_share(command: ReplCommand, processes: int) -> int | None:
    """Return the bytes of private memory that each of that many REPLs may use here; None: unknown.

    Never less than one needs: where there are more than memory has room for, the kernel takes one when it must.
    """
    size = memory_bytes()
    return None if size is None else max(memory_needed(command), (size - shared_bytes(command)) // processes)


def _has_mathlib(command: ReplCommand) -> bool:
    path = (command.env or os.environ).get("LEAN_PATH", "")
    folders = [Path(command.cwd or "", part) for part in path.split(os.pathsep) if part]
    return bool(command.mathlib_version) or any((folder / "Mathlib.olean").exists() for folder in folders)


def with_threads(command: ReplCommand, threads: int) -> ReplCommand:
    """Return the command with LEAN_NUM_THREADS in its environment, unless that has one."""
    environment = dict(os.environ if command.env is None else command.env)
    # Each Lean starts as many threads as the machine has cores, however many of it run.
    environment.setdefault("LEAN_NUM_THREADS", str(threads))
    return replace(command, env=environment)


def available_cores() -> int:
    """Return the cores that a process here may keep busy: the affinity mask, and the cgroup's quota rounded up."""
    cores = len(os.sched_getaffinity(0))
    quota = cgroup_cores()
    return max(1, min(cores, math.ceil(quota))) if quota is not None else cores


def cgroup_cores(proc: Path = PROC, cgroups: Path = CGROUPS) -> float | None:
    """Return the smallest CPU quota from this process's cgroup to the root, in cores; None where there is none."""
    return min(_on_the_way("cpu", _quota_v2, _quota_v1, proc, cgroups), default=None)


def memory_bytes(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return the bytes that the processes here may use together: the machine's, or the container's limit if less."""
    known = [cgroup_limit("memory", "memory.max", "memory.limit_in_bytes", proc, cgroups), _machine_memory(proc)]
    return min((size for size in known if size is not None), default=None)


def process_limit(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return how many processes and threads may exist; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    known = [cgroup_limit("pids", "pids.max", "pids.max", proc, cgroups), None if soft < 0 else soft]
    return min((count for count in known if count is not None), default=None)


def open_files_limit() -> int | None:
    """Return how many files one process may have open; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft < 0 else soft


def limits_on_reservations(proc: Path = PROC) -> list[str]:
    """Return the limits on memory that is reserved and not used, each with its cure: today's Lean reserves many GiB."""
    limits = (
        (resource.RLIMIT_AS, "-v", "address space"),
        # Thread stacks and .olean files are private writable mappings, which count as data.
        (resource.RLIMIT_DATA, "-d", "data"),
    )
    found = []
    for kind, letter, name in limits:
        soft, _ = resource.getrlimit(kind)
        if soft >= 0:
            found.append(f"{soft / GIB:.3g} GiB of {name} (ulimit {letter} unlimited)")
    try:
        strict = (proc / _OVERCOMMIT).read_text("ascii").strip() == "2"
    except OSError:
        strict = False
    if strict:
        found.append("no more reservations than memory (sysctl vm.overcommit_memory=0)")
    return found


def cgroup_limit(controller: str, v2: str, v1: str, proc: Path, cgroups: Path) -> int | None:
    """Return the smallest limit on the way from this process's cgroup to the root; None where there is none.

    Args:
        controller: Its name in cgroup v1, `memory`.
        v2: The file in cgroup v2.
        v1: The file in cgroup v1.
        proc: Where `/proc` is.
        cgroups: Where the cgroup file systems are mounted: v2 there, v1 in a folder for each controller.
    """
    limits = _on_the_way(controller, lambda at: _number_in(at / v2), lambda at: _number_in(at / v1), proc, cgroups)
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


def _on_the_way(
    controller: str,
    read_v2: Callable[[Path], T | None],
    read_v1: Callable[[Path], T | None],
    proc: Path,
    cgroups: Path,
) -> Iterator[T]:
    """Yield the value of each folder from this process's cgroup to the root, in the controller's version."""
    # See `man 7 cgroups`: "hierarchy:controllers:path".
    for line in _text(proc / "self" / "cgroup").splitlines():
        _number, controllers, path = line.split(":", 2)
        # Version 2 has one hierarchy for all controllers, and names none; a machine may have both versions.
        if not controllers:
            base, read = cgroups, read_v2
        elif controller in controllers.split(","):
            base, read = cgroups / controller, read_v1
        else:
            continue
        own: Path = Path(path.strip("/"))
        # A container often sees its own cgroup as the root, under a path of the host's: then only the root is there.
        for folder in (own, *own.parents):
            found = read(base / folder)
            if found is not None:
                yield found


def _quota_v2(folder: Path) -> float | None:
    words = _text(folder / "cpu.max").split()
    if not words or words[0] == "max":
        return None
    # Both in microseconds: the CPU time of all processes in each period.
    quota, period = words
    return int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    quota, period = _number_in(folder / "cpu.cfs_quota_us"), _number_in(folder / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _machine_memory(proc: Path) -> int | None:
    # Not what is free now: a worker plans for its whole life, and page cache gives way.
    for line in _text(proc / "meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def _number_in(file: Path) -> int | None:
    with contextlib.suppress(ValueError):
        return int(_text(file))
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError:
        return ""
