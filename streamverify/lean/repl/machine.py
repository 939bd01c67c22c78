"""What this machine, or container, allows of processes, files and reservations. Memory is in `lean.resources`."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from streamverify.lean.repl.resources import CGROUPS, GIB, PROC, cgroup_limit

if TYPE_CHECKING:
    from pathlib import Path

_OVERCOMMIT = "sys/vm/overcommit_memory"


def process_limit(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Processes and threads that may exist; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    known = [cgroup_limit("pids", "pids.max", "pids.max", proc, cgroups), None if soft < 0 else soft]
    return min((count for count in known if count is not None), default=None)


def open_files_limit() -> int | None:
    """Files that one process may have open; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft < 0 else soft


def limits_on_reservations(proc: Path = PROC) -> list[str]:
    """What limits memory that is reserved and not used, each with what to do; a Lean of today reserves many GiB."""
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
