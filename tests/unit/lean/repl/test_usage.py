"""Memory and CPU time of a process and what it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamverify.lean.repl import usage as usage_module
from streamverify.lean.repl.usage import Usage, deepest_stack, newest_pid, private, proportional, resident, tree, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024**2


@contextmanager
def python(program: str) -> Iterator[int]:
    """A Python that runs the program, once it has printed a line; it ends when its stdin does."""
    argv = (sys.executable, "-S", "-c", program)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline()
            yield process.pid
        finally:
            process.stdin.close()
            process.stdout.close()


def test_what_a_process_takes_is_counted() -> None:
    with python("import sys; print(flush=True); sys.stdin.read()") as pid:
        small = usage(pid)
    with python("import sys; x = bytearray(50 << 20); print(flush=True); sys.stdin.read()") as pid:
        large, exact = usage(pid), proportional(pid)
    assert large.memory - small.memory >= 49 * MIB
    assert large.memory < 80 * MIB
    assert exact == pytest.approx(large.memory, abs=4 * MIB)
    assert large.processes == 1


def test_what_is_mapped_from_a_file_counts_nothing() -> None:
    program = (
        "import mmap, sys; file = open(sys.executable, 'rb')\n"
        "m = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ); sum(m[::4096])\n"
        "shared = mmap.mmap(-1, 20 << 20); shared[::4096] = bytes(len(shared[::4096]))\n"
        "print(flush=True); sys.stdin.read()"
    )
    with python(program) as pid:
        assert 20 * MIB < usage(pid).memory < 40 * MIB  # the shared memory, not the file
        assert resident(pid) > usage(pid).memory + 1 * MIB


def test_children_count_also_those_of_threads() -> None:
    program = (
        "import os, sys, threading, time\n"
        "def child():\n"
        "    if os.fork() == 0:\n"
        "        x = bytearray(30 << 20); os.write(1, b'.'); os.read(0, 1); os._exit(0)\n"
        "    time.sleep(600)\n"
        "threading.Thread(target=child, daemon=True).start()\n"
        "time.sleep(0.5); print(flush=True); sys.stdin.read(); os._exit(0)"
    )
    with python(program) as pid:
        used = usage(pid)
    assert used.processes == 2
    assert used.memory > 30 * MIB


def test_pages_that_a_fork_shares_are_divided_where_it_is_exact() -> None:
    program = "import os, sys; x = bytearray(40 << 20)\nif os.fork(): print(flush=True)\nsys.stdin.read(); os._exit(0)"
    with python(program) as pid:
        assert usage(pid).memory > 80 * MIB
        assert 40 * MIB <= sum(map(proportional, tree(pid))) < 70 * MIB


def test_seconds_of_living_and_of_dead_children_count() -> None:
    burn = "end = time.thread_time() + 0.3\nwhile time.thread_time() < end: pass\n"
    program = (
        f"import os, sys, time\n{burn}"
        f"pid = os.fork()\nif pid == 0:\n    {burn.replace(chr(10), chr(10) + '    ', 1)}    os._exit(0)\n"
        "os.wait(); print(flush=True); sys.stdin.read()"
    )
    with python(program) as pid:
        assert 0.5 < usage(pid).cpu < 5


def test_a_process_that_is_gone_uses_nothing() -> None:
    process = subprocess.Popen((sys.executable, "-S", "-c", "pass"))
    process.wait()
    deadline = time.monotonic() + 5
    while usage(process.pid).processes > 1:
        assert time.monotonic() < deadline
    assert usage(process.pid) == Usage(0, 0.0, 1)
    assert proportional(process.pid) == private(process.pid) == resident(process.pid) == 0


def test_pages_that_may_not_be_walked_count_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    read = usage_module._read
    monkeypatch.setattr(usage_module, "_read", lambda file: b"" if file.endswith("smaps_rollup") else read(file))
    with python("import sys; x = bytearray(50 << 20); print(flush=True); sys.stdin.read()") as pid:
        assert proportional(pid) == private(pid) > 50 * MIB


def test_the_newest_process_is_told_from_those_before() -> None:
    before = newest_pid()
    with python("print(flush=True)") as pid:
        # Others start processes here, too: only that it changed is sure.
        assert newest_pid() not in (before, None)
        assert pid in tree(os.getpid())


STACKS = """
import ctypes, sys, threading, time
libc = ctypes.CDLL(None)
def touch(mib):
    attributes, base, size = (ctypes.c_char * 64)(), ctypes.c_void_p(), ctypes.c_size_t()
    libc.pthread_self.restype = ctypes.c_void_p
    libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes)
    libc.pthread_attr_getstack(attributes, ctypes.byref(base), ctypes.byref(size))
    ctypes.memset(base.value + (1 << 20), 1, mib << 20)
    time.sleep(600)
threading.stack_size(256 << 20)
for mib in MIBS:
    threading.Thread(target=touch, args=(mib,), daemon=True).start()
x = bytearray(60 << 20)
time.sleep(1); print(flush=True); sys.stdin.read()
"""


def test_the_deepest_stack_is_told_from_other_memory() -> None:
    with python(STACKS.replace("MIBS", "(10, 40, 20)")) as pid:
        assert 40 * MIB <= deepest_stack(pid) < 41 * MIB
    with python(STACKS.replace("MIBS", "()")) as pid:
        assert deepest_stack(pid) == 0
    assert deepest_stack(2**22 + 1) == 0


MANY = """
import os, sys
reading, writing = os.pipe()
for _ in range(900):
    if os.fork() == 0:
        os.close(writing)
        os.read(reading, 1)  # until the parent ends, however it does
        os._exit(0)
print(flush=True); sys.stdin.read()
"""


def test_none_of_many_children_is_left_out() -> None:
    """Their numbers fill more than the page that the kernel gives at once."""
    with python(MANY) as pid:
        pids = tree(pid)
    assert len(pids) == 901
    deadline = time.monotonic() + 20
    while any(Path("/proc", str(child)).exists() for child in pids):
        assert time.monotonic() < deadline, "they live on"
        time.sleep(0.05)
