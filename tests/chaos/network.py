"""Network namespaces: a wire of its own from each worker to the brokers, that can be cut. Linux, `ip`, CAP_NET_ADMIN.

The run is made in a namespace of its own first (`enter`), so that nothing of it is left in the machine's network,
and so that it works without root where unprivileged user namespaces are allowed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import ClassVar, Self

BROKERS = "10.213.0.1"
"""The brokers' address: on the loopback device, so that no cut of a wire takes it away."""
_INSIDE = "CHAOS_INSIDE"
_FLAGS = ("--user", "--map-root-user", "--net", "--mount", "--kill-child", "--fork")
_PROCESSES = ("--pid", "--mount-proc")
"""With these nothing of a run outlives it, even where it is killed. A masked /proc, as containers have, forbids it."""


class NoNamespacesError(Exception):
    """This machine gives us no network namespaces; the text says why."""


def inside() -> bool:
    """Whether this process is in the run's own network namespace."""
    return os.environ.get(_INSIDE) == str(os.getuid()) == "0"


def why_not() -> str:
    """Why there are no network namespaces here, "" where there are."""
    missing = [tool for tool in ("ip", "unshare", "nsenter") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed (iproute2, util-linux)"
    return _try(_FLAGS)


def _try(flags: tuple[str, ...]) -> str:
    """Why a wire cannot be had with these flags of unshare, "" where it can."""
    trial = "ip link set lo up && ip link add chaos-a type veth peer name chaos-b"
    tried = subprocess.run([_tool("unshare"), *flags, "sh", "-c", trial], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else (tried.stderr.strip() or f"unshare ended with {tried.returncode}")


def enter() -> None:
    """Become the same command in a network namespace of its own, as its root. Does not return."""
    environment = os.environ | {_INSIDE: "0"}
    command = [sys.executable, *sys.orig_argv[1:]]
    flags = _FLAGS if _try((*_FLAGS, *_PROCESSES)) else (*_FLAGS, *_PROCESSES)
    os.execve(_tool("unshare"), ["unshare", *flags, "--", *command], environment)  # noqa: S606 - no shell wanted


def prepare() -> None:
    """Give the run's namespace its loopback device and the brokers' address."""
    _ip("link", "set", "lo", "up")
    _ip("address", "add", f"{BROKERS}/32", "dev", "lo")


class Wire:
    """A network namespace with one wire to the brokers."""

    _taken: ClassVar[set[int]] = set()
    """The numbers, 1 to 250, that make the addresses of the wires that are there: of several runs at once, too."""

    def __init__(self) -> None:
        self._index = index = min(set(range(1, 251)) - self._taken)
        self._taken.add(index)
        self._outer, self._inner = f"chaos{index}", f"worker{index}"
        self._near, self.address = f"10.213.{index}.1", f"10.213.{index}.2"

    def __enter__(self) -> Self:
        """Make it.

        Raises:
            NoNamespacesError: The kernel refuses.
        """
        # Its process keeps the namespace; it ends with its stdin, at the latest when we do.
        self._holder = subprocess.Popen(
            [_tool("unshare"), "--net", "sh", "-c", "echo; read end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        _ip("link", "add", self._outer, "type", "veth", "peer", "name", self._inner)
        _ip("link", "set", self._inner, "netns", str(self._holder.pid))
        _ip("address", "add", f"{self._near}/30", "dev", self._outer)
        _ip("link", "set", self._outer, "up")
        self._within("link", "set", "lo", "up")
        self._within("address", "add", f"{self.address}/30", "dev", self._inner)
        self._within("link", "set", self._inner, "up")
        self._within("route", "add", "default", "via", self._near)
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove it."""
        for pipe in (self._holder.stdin, self._holder.stdout):
            if pipe is not None:
                pipe.close()
        self._holder.wait()
        self._taken.discard(self._index)

    def command(self, argv: list[str]) -> list[str]:
        """The command line that starts `argv` in it; the process is that of `argv`."""
        return [_tool("nsenter"), "--target", str(self._holder.pid), "--net", "--", *argv]

    def cut(self) -> None:
        """Nothing comes through any more, in either direction; nobody is told."""
        _ip("link", "set", self._outer, "down")

    def cut_answers(self) -> None:
        """What the worker sends arrives; what is answered does not."""
        _ip("route", "add", "blackhole", f"{self.address}/32")

    def mend(self) -> None:
        """Undo both."""
        _ip("link", "set", self._outer, "up")
        subprocess.run(
            [_tool("ip"), "route", "del", "blackhole", f"{self.address}/32"], capture_output=True, check=False
        )

    def _within(self, *arguments: str) -> None:
        _run(self.command([_tool("ip"), *arguments]))


def _ip(*arguments: str) -> None:
    _run([_tool("ip"), *arguments])


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNamespacesError(f"{' '.join(argv)}: {done.stderr.strip()}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NoNamespacesError(f"{name} is not installed")
    return found
