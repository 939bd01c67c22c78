"""What this machine, or container, allows: memory and process limits. Reads `/proc` and cgroups (v1 and v2)."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60
"""From here on a number of bytes means no limit: cgroup v1 writes the largest multiple of a page."""


def memory_bytes(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Bytes that the processes here may use together: the machine's, or the container's limit where that is less."""
    known = [cgroup_limit("memory", "memory.max", "memory.limit_in_bytes", proc, cgroups), _machine_memory(proc)]
    return min((size for size in known if size is not None), default=None)


def process_limit(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Processes and threads that may exist; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    known = [cgroup_limit("pids", "pids.max", "pids.max", proc, cgroups), None if soft < 0 else soft]
    return min((count for count in known if count is not None), default=None)


def open_files_limit() -> int | None:
    """Files that one process may have open; None where nothing limits them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft < 0 else soft


def cgroup_limit(controller: str, v2: str, v1: str, proc: Path, cgroups: Path) -> int | None:
    """The smallest limit on the way from this process's cgroup to the root; None where there is none.

    Args:
        controller: Its name in cgroup v1, `memory`.
        v2: The file in cgroup v2.
        v1: The file in cgroup v1.
        proc: Where `/proc` is.
        cgroups: Where the cgroup file systems are mounted.
    """
    limits = []
    for line in _text(proc / "self" / "cgroup").splitlines():
        _number, controllers, path = line.split(":", 2)
        if not controllers:
            base, name = cgroups, v2
        elif controller in controllers.split(","):
            base, name = cgroups / controller, v1
        else:
            continue
        own = Path(path.strip("/"))
        # In a container the path may be the host's: then only the root is there.
        limits += [_number_in(base / folder / name) for folder in (own, *own.parents)]
    return min((limit for limit in limits if limit is not None and limit < _UNLIMITED), default=None)


def _machine_memory(proc: Path) -> int | None:
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
