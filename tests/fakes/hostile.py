# ruff: noqa: PTH109, PTH123, PTH208, S606 - what it does is what is tested, and plain calls show it
"""A REPL whose proofs do what hostile proofs do: `attack: NAME ARGUMENT...` in a body, and it says how far it got.

No library but Python's own, and no file of ours: its text is given to `python -c`.
"""

import ctypes
import errno
import json
import mmap
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
PTRACE_ATTACH = 16
kept: list[Any] = []


def attempt(action: Any, *arguments: Any) -> Any:
    """What came of it, or the name of the error."""
    try:
        return action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except MemoryError:
        return "MemoryError"


def call(function: Any, *arguments: Any) -> str:
    """A function of the C library; the name of its error, or `done`."""
    ctypes.set_errno(0)
    return "done" if function(*arguments) != -1 else errno.errorcode[ctypes.get_errno()]


def content(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(4096).decode("utf-8", "replace")


def create(path: str) -> str:
    with open(path, "wb") as file:
        file.write(b"x")
    return "done"


def processes() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def environments() -> Any:
    return {pid: attempt(content, f"/proc/{pid}/environ") for pid in processes()}


def connect(host: str, port: str) -> str:
    with socket.create_connection((host, int(port)), timeout=2):
        return "done"


def sockets() -> Any:
    def opened(family: int) -> str:
        socket.socket(family, socket.SOCK_DGRAM if family != 40 else socket.SOCK_STREAM).close()
        return "done"

    return {name: attempt(opened, family) for name, family in (("unix", 1), ("inet", 2), ("inet6", 10), ("vsock", 40))}


def fork_bomb() -> Any:
    for count in range(100_000):
        try:
            pid = os.fork()
        except OSError as error:
            return [count, errno.errorcode[error.errno or 0]]
        if pid == 0:
            time.sleep(600)
            os._exit(0)
    return [100_000, "never refused"]


def daemon(mark: str) -> str:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sh", ["sh", "-c", "while :; do sleep 1; done", mark])
        os._exit(0)
    os.wait()
    return "done"


def fill(folder: str) -> Any:
    written = 0
    try:
        for number in range(1_000_000):
            with open(f"{folder}/{number}", "wb") as file:
                for _ in range(8):
                    written += file.write(bytes(1 << 20))
    except OSError as error:
        return [written, errno.errorcode[error.errno or 0]]
    return [written, "never refused"]


def huge_file(path: str) -> str:
    with open(path, "wb") as file:
        file.seek(1 << 40)
        file.write(b"x")
    return "done"


def trace() -> Any:
    pids = {*processes(), os.getppid(), 1} - {os.getpid()}
    return {pid: call(LIBC.ptrace, PTRACE_ATTACH, pid, None, None) for pid in pids}


def mount() -> Any:
    return {
        "mount": call(LIBC.mount, b"tmpfs", b"/tmp", b"tmpfs", 0, None),
        "remount": call(LIBC.mount, b"none", b"/usr", None, 0x20 | 0x1000, None),
        "umount": call(LIBC.umount2, b"/tmp", 2),
        "user namespace": call(LIBC.unshare, CLONE_NEWUSER),
        "chroot": call(LIBC.chroot, b"/tmp"),
        "setuid": attempt(lambda: os.setuid(0)) or ("done" if os.getuid() == 0 else "no"),
    }


def kill_everything() -> Any:
    kept.append(signal.signal(signal.SIGTERM, signal.SIG_IGN))
    return {pid: attempt(os.kill, pid, signal.SIGKILL) for pid in (1, -1)}


def allocate(mib: str) -> int:
    block = bytearray(int(mib) << 20)
    kept.append(block)
    return len(block)


def hold(mib: str, seconds: str) -> int:
    size = allocate(mib)
    time.sleep(float(seconds))
    return size


def hide(mib: str, seconds: str) -> str:
    """Hold memory in a process that has left the group, the session and its parent."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            kept.append(bytearray(int(mib) << 20))
            time.sleep(float(seconds))
        os._exit(0)
    os.wait()
    return "done"


def reserve(mib: str) -> str:
    """Map memory, private and writable as the stack of a thread is, and touch none of it."""
    kept.append(mmap.mmap(-1, int(mib) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    return "done"


def share(mib: str) -> str:
    """Hold memory that is no anonymous page: a mapping that processes may share."""
    block = mmap.mmap(-1, int(mib) << 20)
    for at in range(0, len(block), 1 << 20):
        block[at : at + (1 << 20)] = b"x" * (1 << 20)
    kept.append(block)
    return "done"


def grow(mib_a_second: str, seconds: str) -> str:
    """Take memory steadily, from a thread, as an elaborator does while its main thread waits."""

    def take() -> None:
        while True:
            kept.append(bytearray(int(mib_a_second) * 1024 * 10))
            time.sleep(0.01)

    threading.Thread(target=take, daemon=True).start()
    time.sleep(float(seconds))
    return "done"


def recurse(mib: str, seconds: str) -> str:
    """Touch that much of the stack of a thread, as a recursion does."""

    def touch() -> None:
        attributes = (ctypes.c_char * 64)()
        base, size = ctypes.c_void_p(), ctypes.c_size_t()
        LIBC.pthread_self.restype = ctypes.c_void_p
        LIBC.pthread_getattr_np(ctypes.c_void_p(LIBC.pthread_self()), attributes)
        LIBC.pthread_attr_getstack(attributes, ctypes.byref(base), ctypes.byref(size))
        # Below what this thread itself uses.
        ctypes.memset((base.value or 0) + (8 << 20), 1, int(mib) << 20)
        time.sleep(float(seconds))

    threading.stack_size(1 << 30)
    thread = threading.Thread(target=touch)
    thread.start()
    thread.join()
    return "done"


def headless(mib: str, seconds: str) -> None:
    """Hold memory in a thread whose process has lost its main thread: `/proc` then shows no memory of the process."""

    def take() -> None:
        time.sleep(0.3)
        allocate(mib)
        time.sleep(float(seconds))

    threading.Thread(target=take).start()
    LIBC.syscall(60 if os.uname().machine == "x86_64" else 93, 0)


def hoard(count: str, mib: str, seconds: str = "60") -> str:
    """Start that many processes that hold so much each, and wait for them."""
    for _ in range(int(count)):
        if os.fork() == 0:
            kept.append(bytearray(int(mib) << 20))
            time.sleep(float(seconds))
            os._exit(0)
    for _ in range(int(count)):
        os.wait()
    return "done"


def spend(seconds: str) -> str:
    end = time.process_time() + float(seconds)
    while time.process_time() < end:
        pass
    return "done"


def burn(count: str) -> None:
    """Keep that many processes busy, and never answer."""
    for _ in range(int(count) - 1):
        if os.fork() == 0:
            break
    while True:
        pass


def run(*words: str) -> Any:
    done = subprocess.run(words, capture_output=True, check=False)
    return [done.returncode, done.stdout.decode(), done.stderr.decode()]


ATTACKS: dict[str, Any] = {
    "environ": lambda: dict(os.environ),
    "environments": environments,
    "read": lambda path: attempt(content, path),
    "list": lambda path: attempt(os.listdir, path),
    "create": lambda path: attempt(create, path),
    "unlink": lambda path: attempt(os.unlink, path),
    "connect": lambda host, port: attempt(connect, host, port),
    "unix": lambda path: attempt(lambda: socket.socket(socket.AF_UNIX).connect(path)),
    "sockets": sockets,
    "fork-bomb": fork_bomb,
    "daemon": daemon,
    "fill": fill,
    "huge-file": lambda path: attempt(huge_file, path),
    "trace": trace,
    "processes": processes,
    "mount": mount,
    "kill": kill_everything,
    "fds": lambda: sorted(int(name) for name in os.listdir("/proc/self/fd")),
    "status": lambda: content("/proc/self/status"),
    "host": lambda: [socket.gethostname(), os.getuid(), os.getcwd()],
    "allocate": lambda mib: attempt(allocate, mib),
    "hold": hold,
    "hide": hide,
    "share": share,
    "reserve": reserve,
    "grow": grow,
    "recurse": recurse,
    "headless": headless,
    "hoard": hoard,
    "spend": spend,
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "burn": burn,
    "run": run,
    "pid": os.getpid,
}


def respond(text: str) -> str:
    found = re.search(r"attack: (.*)", text)
    if found:
        name, *arguments = found[1].split()
        return json.dumps(ATTACKS[name](*arguments))
    nonce = re.search(r'#print "(.*)"', text)
    return nonce[1] if nonce else "4.99.0"


def main() -> None:
    block, count = b"", 0
    while line := sys.stdin.buffer.readline():
        if line.strip():
            block += line
            continue
        if not block:
            continue
        said = respond(json.loads(block)["cmd"])
        message = {"severity": "info", "pos": {"line": 1, "column": 0}, "endPos": None, "data": said}
        os.write(1, json.dumps({"messages": [message], "env": count}).encode() + b"\n\n")
        block, count = b"", count + 1


main()
