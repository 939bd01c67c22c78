"""The command line: one module a command."""

from __future__ import annotations

_INTERRUPTED = 130


def main() -> None:
    """Run `streamverify`; never returns."""
    from streamverify.cli.streams import guard  # noqa: PLC0415 - importing one module stays cheap

    guard()
    try:
        from streamverify.cli.app import app  # noqa: PLC0415 - as above
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    app()
