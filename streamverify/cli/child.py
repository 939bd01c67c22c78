"""`python -m streamverify.cli.child PARENT ARGUMENT...`: the command line, ended by the kernel when its parent dies.

What the demo starts must not outlive it, not even where the demo itself is killed with SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from streamverify.cli import main

_PR_SET_PDEATHSIG = 1


def _end_with(parent: int) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # Linux; elsewhere only an orderly end of the parent ends us
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)  # it died before we asked


if __name__ == "__main__":
    _end_with(int(sys.argv[1]))
    sys.argv = ["streamverify", *sys.argv[2:]]
    main()
