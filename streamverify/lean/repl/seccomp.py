"""The system calls that no proof needs, as the filter that bubblewrap loads into the kernel. Pure.

A second line: namespaces, an unprivileged user and `no_new_privs` confine already. It closes what they leave open: new
user namespaces (where most of the kernel's privilege bugs were), AF_VSOCK, which no network namespace holds, the key
ring, io_uring, and tracing. A refused call fails as it does on a system that forbids it; nothing is killed for it.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000

_NEW_NAMESPACES = 0x7E020000
"""The flags of `clone` for a mount, cgroup, UTS, IPC, user, PID or network namespace."""

_UNIX = 1
_X32 = 0x40000000
"""From here on x86-64 takes system calls of another ABI, with numbers of its own."""

_SAME_EVERYWHERE = {425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442}
"""io_uring_*, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, pidfd_getfd, mount_setattr."""
_CLONE3 = 435


@dataclass(frozen=True, slots=True)
class _Machine:
    """One architecture's audit number and system calls, from the kernel's tables."""

    audit: int
    refused: frozenset[int]
    clone: int
    socket: int
    has_x32: bool = False


_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        # ptrace, pivot_root, chroot, acct, mount, umount2, swapon, swapoff, reboot, init_module, delete_module,
        # quotactl, kexec_load, add_key, request_key, keyctl, unshare, perf_event_open, name_to_handle_at,
        # open_by_handle_at, setns, process_vm_readv, process_vm_writev, kcmp, finit_module, bpf, userfaultfd
        refused=frozenset(
            {101, 155, 161, 163, 165, 166, 167, 168, 169, 175, 176, 179, 246, 248, 249, 250, 272, 298, 303, 304, 308}
            | {310, 311, 312, 313, 321, 323}
            | _SAME_EVERYWHERE
        ),
        clone=56,
        socket=41,
        has_x32=True,
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        # umount2, mount, pivot_root, chroot, quotactl, acct, unshare, kexec_load, init_module, delete_module, ptrace,
        # reboot, add_key, request_key, keyctl, swapon, swapoff, perf_event_open, name_to_handle_at, open_by_handle_at,
        # setns, process_vm_readv, process_vm_writev, kcmp, finit_module, bpf, userfaultfd
        refused=frozenset(
            {39, 40, 41, 51, 60, 89, 97, 104, 105, 106, 117, 142, 217, 218, 219, 224, 225, 241, 264, 265, 268}
            | {270, 271, 272, 273, 280, 282}
            | _SAME_EVERYWHERE
        ),
        clone=220,
        socket=198,
    ),
}


def filter_program(machine: str) -> bytes | None:
    """Return the classic BPF program for a machine as `os.uname` calls it; None for one that is not listed here."""
    known = _MACHINES.get(machine)
    return None if known is None else b"".join(_instructions(known))


def _instructions(machine: _Machine) -> list[bytes]:
    refuse = _FAIL | errno.EPERM
    # The filter is for one architecture: numbers of another one would mean other calls.
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        *_when(_EQUAL, machine.audit, skip=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine.has_x32:
        steps += [*_unless(_AT_LEAST, _X32), _step(_RETURN, _FAIL | errno.ENOSYS)]
    for number in sorted(machine.refused):
        steps += [*_unless(_EQUAL, number), _step(_RETURN, refuse)]
    # Its flags lie in memory, where no filter can look; libraries then use `clone`.
    steps += [*_unless(_EQUAL, _CLONE3), _step(_RETURN, _FAIL | errno.ENOSYS)]
    # A thread or a process may be made, but not in a namespace of its own.
    steps += [
        *_unless(_EQUAL, machine.clone, skip=4),
        _step(_LOAD, _FIRST_ARGUMENT),
        *_unless(_ANY_BIT, _NEW_NAMESPACES),
        _step(_RETURN, refuse),
        _step(_RETURN, _ALLOW),
    ]
    # Sockets of any family but AF_UNIX fail as where the kernel has no such family.
    steps += [
        *_unless(_EQUAL, machine.socket, skip=3),
        _step(_LOAD, _FIRST_ARGUMENT),
        *_when(_EQUAL, _UNIX, skip=1),
        _step(_RETURN, _FAIL | errno.EAFNOSUPPORT),
    ]
    return [*steps, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _when(code: int, value: int, *, skip: int) -> list[bytes]:
    """Skip the next steps where the comparison holds."""
    return [_step(code, value, if_true=skip)]


def _unless(code: int, value: int, *, skip: int = 1) -> list[bytes]:
    """Skip the next steps where the comparison does not hold."""
    return [_step(code, value, if_false=skip)]
