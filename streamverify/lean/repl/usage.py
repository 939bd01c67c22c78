"""The memory and the CPU time of a REPL and of every process below it, as `/proc` has them.

Memory here is private memory: anonymous and shared-memory pages that are resident. Pages of mapped files (`.olean`
files, Lean's own library) are left out, because the REPLs of a machine share them and the kernel can drop them; what
a process has only reserved (1 GiB of stack for each of Lean's threads) is left out, too. Knows no limits.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_PROCESSES = 1024
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024
_MAX_BYTES = 1 << 16
_NEARLY_A_PAGE = 2048
_STACK = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) ---p [^\n]*\n(?=\2-)([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *$", re.MULTILINE
)
"""A guard, and what begins where it ends: a mapping of no file and without a name."""
_LARGEST_GUARD = 1 << 20
"""Bytes; what an arena of the C library has not used yet may not be touched either, and is larger."""
_NOT_THERE = bytes(range(1 << 6))

# After the name in parentheses, which may hold anything: fields 14 to 17 of `man proc_pid_stat`.
_TIMES = slice(11, 15)


class Usage(NamedTuple):
    """Bytes and seconds of a process and all below it. What has ended counts with the seconds that it had used."""

    memory: int
    """Private memory; pages that a `fork` shares count for each process."""
    cpu: float
    processes: int


def usage(pid: int) -> Usage:
    """Return the memory and CPU time of the process and its descendants; zeros where it is gone."""
    pids = tree(pid)
    return Usage(sum(map(private, pids)), sum(map(_cpu_seconds, pids)), len(pids))


def tree(pid: int) -> list[int]:
    """Return the process and its descendants.

    In the sandbox none can leave this tree: an orphan is adopted by the first process of the PID namespace, which is
    in it. Outside, the REPL itself adopts orphans (`exec_wrapper` asks the kernel for that).
    """
    found = [pid]
    for current in found:
        # Each thread has its own list of the processes that it started.
        for thread in _threads(current):
            found += map(int, _read(f"/proc/{current}/task/{thread}/children").split())
        # The sandbox allows fewer. Outside, a proof that forks for ever must not keep the event loop here.
        if len(found) > _MAX_PROCESSES:
            break
    return found


def newest_pid() -> bytes | None:
    """Return the number of the process or thread started last on this machine; None where the kernel does not say.

    As long as it stays the same, no tree has a new process: 3 µs instead of some 100 for each tree.
    """
    words = _read("/proc/loadavg").split()
    return words[-1] if words else None


def resident(pid: int) -> int:
    """Return the bytes of all resident pages, mapped files included; it costs a fifth of `private`."""
    words = _of_memory(pid, "statm", lambda text: not text.startswith(b"0 ")).split()
    return int(words[1]) * _PAGE if words else 0


def private(pid: int) -> int:
    """Return the bytes of private memory of the process; zero where it is gone."""
    text = _of_memory(pid, "status", lambda text: b"\nRssAnon:" in text)
    return _sum_of(text, b"\nRssAnon:", b"\nRssShmem:")


def proportional(pid: int) -> int:
    """Return `private` with the pages that processes share divided among them (PSS); the kernel walks every page.

    A process may keep its pages from being walked by another user's; then they count in full.
    """
    text = _of_memory(pid, "smaps_rollup", bool)
    return _sum_of(text, b"\nPss_Anon:", b"\nPss_Shmem:") if text else private(pid)


def deepest_stack(pid: int) -> int:
    """Return the resident bytes of the largest stack of a thread; zero where the kernel does not say.

    Stacks have no names. What tells one from an allocator's memory is the guard below it: a mapping that may not be
    touched, which ends where the stack begins. Of the stacks alone it is asked which pages are there: `smaps` would
    have the kernel walk the pages of thousands of mapped libraries.
    """
    stacks = [
        (start, end)
        for guard, guard_end, start, end in (
            (int(address, 16) for address in found) for found in _STACK.findall(_read(f"/proc/{pid}/maps"))
        )
        if guard_end - guard <= _LARGEST_GUARD
    ]
    try:
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:  # noqa: PTH123 - as below
            return max((_pages_in(pagemap.fileno(), *stack) for stack in stacks), default=0) * _PAGE
    except OSError:
        return 0


def _pages_in(pagemap: int, start: int, end: int) -> int:
    """Return how many pages of a mapping are in memory or swapped out."""
    # The upper two bits of an entry of eight bytes; see `man 5 proc`, /proc/pid/pagemap.
    entries = os.pread(pagemap, (end - start) // _PAGE * 8, start // _PAGE * 8)
    return len(entries[7::8].translate(None, _NOT_THERE))


def can_be_read() -> bool:
    """Return whether this kernel answers the functions above: since Linux 4.5, and with CONFIG_PROC_CHILDREN."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb"):  # noqa: PTH123 - as below
            return b"\nRssAnon:" in _read(f"/proc/{pid}/status")
    except OSError:
        return False


def _sum_of(text: bytes, *names: bytes) -> int:
    """Return the sum of the fields with these names in bytes; the kernel gives KiB."""
    size = 0
    for name in names:
        at = text.find(name)
        if at >= 0:
            start = at + len(name)
            size += int(text[start : text.index(b"kB", start)])
    return size * _KIB


def _cpu_seconds(pid: int) -> float:
    # User and system time, its own and that of the children that it has waited for.
    words = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return sum(map(int, words[_TIMES])) / _TICKS


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - four times as fast
    except OSError:
        return []


def _of_memory(pid: int, file: str, has_memory: Callable[[bytes], bool]) -> bytes:
    """Return the text of a file in `/proc` about the memory of a process; "" where it has none.

    Of a process whose main thread has ended, and others not, only the others' files still tell.
    """
    text = _read(f"/proc/{pid}/{file}")
    if has_memory(text):
        return text
    texts = (_read(f"/proc/{pid}/task/{thread}/{file}") for thread in _threads(pid))
    return next(filter(has_memory, texts), b"")


def _read(file: str) -> bytes:
    """Return the whole of a file; "" where its process has ended. It takes a third of the time of `open`."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        text = os.read(descriptor, _MAX_BYTES)
        if len(text) < _NEARLY_A_PAGE:
            return text
        # The kernel gives about a page at a time, a list of many children in several.
        pages = [text, *iter(lambda: os.read(descriptor, _MAX_BYTES), b"")]
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return b"".join(pages)
