"""The command line: one module a command."""

from __future__ import annotations

import gc
import os
import sys

_INTERRUPTED = 130


def main() -> None:
    """Run `streamverify`; never returns."""
    from streamverify.cli.streams import guard  # noqa: PLC0415 - importing one module stays cheap

    guard()
    # Imports make some hundred thousand objects, all of which stay: to look for garbage among them again and again is
    # a quarter of the processor time of a start.
    gc.disable()
    try:
        from streamverify.cli.app import COMMANDS, commands_for, make_app  # noqa: PLC0415 - as above

        # The shell that completes a command line names the program's variables, and no command.
        completes = "_STREAMVERIFY_COMPLETE" in os.environ
        app = make_app(COMMANDS if completes else commands_for(sys.argv[1:]))
        # What was imported lives as long as the process: no later search for garbage goes through it.
        gc.freeze()
        gc.enable()
        app()
    except KeyboardInterrupt:
        # While modules are imported, or Typer reads the signatures of the commands: later it answers Ctrl-C itself.
        raise SystemExit(_INTERRUPTED) from None
    finally:
        gc.enable()
