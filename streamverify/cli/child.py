"""`python -m streamverify.cli.child PARENT ARGUMENT...`: runs a command that the kernel ends when its parent dies.

The processes that the demo starts must not outlive it, not even if the demo is killed with SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from streamverify.cli import main

_PR_SET_PDEATHSIG = 1


if __name__ == "__main__":
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # only on Linux; elsewhere only an orderly end of the parent ends us
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(0)  # the parent died before we asked the kernel
    sys.argv = ["streamverify", *sys.argv[2:]]
    main()
