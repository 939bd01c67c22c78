"""The option `--url` of commands that ask processes over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from streamverify.cli.errors import InputError
from streamverify.core.overview.urls import NoAddress, parse_address

Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Ask this process, too, besides those that the group names: http://HOST:PORT, HOST:PORT or the PORT on "
        "this machine. May be given several times.",
    ),
]


def addresses(given: list[str] | None) -> list[str]:
    """Read the addresses of `--url`, each once.

    Raises:
        InputError: One of them is not an address.
    """
    try:
        return list(dict.fromkeys(map(parse_address, given or [])))
    except NoAddress as error:
        raise InputError(f"--url: {error}") from None
