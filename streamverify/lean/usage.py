"""What a REPL and everything that it started use: memory that is theirs alone, and CPU time. Reads `/proc`.

Some 0.2 ms for a REPL in its sandbox (three processes), so it is asked now and then, never for each proof.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_PROCESSES = 1024
_TICKS = os.sysconf("SC_CLK_TCK")
_KIB = 1024

# After the name in parentheses, which may hold anything: fields 14 to 17 of `man proc_pid_stat`.
_TIMES = slice(11, 15)


class Usage(NamedTuple):
    """Bytes and seconds of a process and all below it. What has ended counts with the seconds that it had used."""

    memory: int
    """Anonymous and shared-memory pages that are resident. What is mapped from files (.olean) counts nothing: the
    REPLs of a machine share it, and the kernel takes it back when it must."""
    cpu: float
    processes: int


def usage(pid: int) -> Usage:
    """What the process and its descendants use; zeros where it is gone.

    Pages that a `fork` shares count for each process: see `exact_memory`.
    """
    pids = list(_tree(pid))
    return Usage(sum(map(_resident, pids)), sum(map(_cpu_seconds, pids)), len(pids))


def exact_memory(pid: int) -> int:
    """As `Usage.memory`, with what processes share divided among them (PSS). The kernel walks every page for it."""
    return sum(map(_proportional, _tree(pid)))


def _tree(pid: int) -> Iterator[int]:
    """The process and its descendants, as they are found; in a sandbox none can leave this tree."""
    waiting, seen = [pid], 0
    while waiting and seen < _MOST_PROCESSES:
        current = waiting.pop()
        seen += 1
        yield current
        try:
            threads = os.listdir(f"/proc/{current}/task")  # noqa: PTH208 - four times as fast
        except OSError:
            continue
        for thread in threads:
            waiting += map(int, _text(f"/proc/{current}/task/{thread}/children").split())


def _resident(pid: int) -> int:
    return _fields(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:"))


def _proportional(pid: int) -> int:
    return _fields(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))


def _fields(file: str, names: tuple[str, ...]) -> int:
    """The sum of the fields with these names, which the kernel gives in KiB."""
    lines = (line for line in _text(file).splitlines() if line.startswith(names))
    return sum(int(line.split()[1]) for line in lines) * _KIB


def _cpu_seconds(pid: int) -> float:
    words = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, words[_TIMES])) / _TICKS


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123 - twice as fast
            return opened.read()
    except OSError:
        # It has ended meanwhile.
        return ""
