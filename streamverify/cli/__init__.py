"""The command line: one module a command."""

from __future__ import annotations


def main() -> None:
    """Run `streamverify`; never returns."""
    from streamverify.cli.app import app  # noqa: PLC0415 - importing the package stays free for who wants one module

    app()
