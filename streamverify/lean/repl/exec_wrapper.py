"""`python exec_wrapper.py PARENT LIMITS FILTER COMMAND...`: becomes COMMAND, which the kernel kills when PARENT dies.

A worker that is killed with SIGKILL cannot end its REPLs, and a proof that loops never looks whether its stdin has
ended. Run as a script, so that it starts in milliseconds; `preexec_fn` would do the same in a copy of the worker,
which is not safe beside threads.

LIMITS are resource limits, `core=0,fsize=268435456`; FILTER is a program for seccomp in hexadecimal digits, or empty.
Two words of COMMAND are filled in here: `FILTER_FD`, a descriptor to read FILTER from, and `OWN_UID`, a user id that
no other process has.
"""

import ctypes
import os
import resource
import signal
import sys

FILTER_FD = "\x01filter"
OWN_UID = "\x01uid"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CANNOT_EXECUTE = 126

_FIRST_UID = 0x7000_0000
"""From here up to 2^31 nobody has user ids (systemd's table of them says so); a process id has at most 22 bits."""


def main() -> None:
    """Ask the kernel, then become the command."""
    parent, limits, program, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # Linux has it; elsewhere only an orderly end of the parent ends the command
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # What a proof leaves behind stays below the command, where its memory is seen and where it is killed, too.
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:
        return  # it died before we asked
    try:
        _limit(limits)
        filled = {OWN_UID: str(_FIRST_UID + os.getpid()), FILTER_FD: str(_descriptor_of(bytes.fromhex(program)))}
        command = [filled.get(word, word) for word in command]
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{command[0]} cannot be executed: {getattr(error, 'strerror', error)}\n")
        sys.exit(_CANNOT_EXECUTE)


def _limit(limits: str) -> None:
    """Set each limit, or what the limit above it leaves."""
    for item in filter(None, limits.split(",")):
        name, _, value = item.partition("=")
        kind = getattr(resource, f"RLIMIT_{name.upper()}")
        _soft, hard = resource.getrlimit(kind)
        size = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (size, size))


def _descriptor_of(data: bytes) -> int:
    """Return a descriptor from which the command can read `data`; -1 where there is none."""
    if not data:
        return -1
    descriptor = os.memfd_create("filter", 0)
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


if __name__ == "__main__":
    main()
