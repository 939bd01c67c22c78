"""How many cores this container may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_PROC = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores that a process here may keep busy: the affinity mask, and the cgroup's quota rounded up; at least 1."""
    cores = len(os.sched_getaffinity(0))
    quota = cgroup_cores(_PROC, _CGROUPS)
    return max(1, min(cores, math.ceil(quota))) if quota is not None else cores


def cgroup_cores(membership: Path, root: Path) -> float | None:
    """The smallest CPU quota on the way from this process's cgroup to the root, in cores; None where there is none.

    Args:
        membership: `/proc/self/cgroup`.
        root: Where the cgroup file systems are mounted: v2 there, v1 in a folder for each controller.
    """
    quotas = []
    for line in _lines(membership):
        _number, controllers, path = line.split(":", 2)
        if not controllers:
            base, read = root, _quota_v2
        elif "cpu" in controllers.split(","):
            base, read = root / "cpu", _quota_v1
        else:
            continue
        # A container often sees its own cgroup as the root, under a path of the host's: then only the root is there.
        folders = [base, *(base / part for part in _prefixes(path))]
        quotas += [quota for quota in map(read, folders) if quota is not None]
    return min(quotas, default=None)


def _prefixes(path: str) -> list[Path]:
    inner = Path(path.strip("/"))
    return [inner, *inner.parents]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8").splitlines()
    except OSError:
        return []


def _quota_v2(folder: Path) -> float | None:
    words = " ".join(_lines(folder / "cpu.max")).split()
    if not words or words[0] == "max":
        return None
    quota, period = words
    return int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    quota, period = _lines(folder / "cpu.cfs_quota_us"), _lines(folder / "cpu.cfs_period_us")
    return int(quota[0]) / int(period[0]) if quota and period and int(quota[0]) > 0 else None
