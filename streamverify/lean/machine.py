"""What this machine, or container, allows: process and file limits. Memory and cores are in `lean.resources`."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from streamverify.lean.resources import CGROUPS, PROC, cgroup_limit

if TYPE_CHECKING:
    from pathlib import Path


def process_limit(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Processes and threads that may exist; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    known = [cgroup_limit("pids", "pids.max", "pids.max", proc, cgroups), None if soft < 0 else soft]
    return min((count for count in known if count is not None), default=None)


def open_files_limit() -> int | None:
    """Files that one process may have open; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft < 0 else soft
