"""The command line: one module a command."""

from __future__ import annotations

_INTERRUPTED = 130


def main() -> None:
    """Run `streamverify`; never returns."""
    from streamverify.cli.streams import guard  # noqa: PLC0415 - importing one module stays cheap

    guard()
    try:
        from streamverify.cli.app import app  # noqa: PLC0415 - as above

        app()
    except KeyboardInterrupt:
        # While modules are imported, or Typer reads the signatures of the commands: later it answers Ctrl-C itself.
        raise SystemExit(_INTERRUPTED) from None
