"""`python leash.py PARENT COMMAND...`: becomes COMMAND, which the kernel kills when PARENT dies.

A worker that is killed with SIGKILL cannot end its REPLs, and a proof that loops never looks whether its stdin has
ended. Run as a script, so that it starts in milliseconds; `preexec_fn` would do the same in a copy of the worker,
which is not safe beside threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CANNOT_EXECUTE = 126


def main() -> None:
    """Ask the kernel, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # Linux has it; elsewhere only an orderly end of the parent ends the command
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # it died before we asked
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be executed: {error.strerror}\n")
        sys.exit(_CANNOT_EXECUTE)


if __name__ == "__main__":
    main()
