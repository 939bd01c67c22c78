"""Addresses of processes that answer over HTTP. Pure."""

from __future__ import annotations

import re

from streamverify.core.errors import StreamVerifyError

FIRST_PORT = 9464
"""The port of a process that is alone on its machine; the next one takes the next."""
LOCAL_PORTS = 16
"""Ports of this machine that are tried where no group says where its workers are."""

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
_PORT = r"[0-9]{1,5}"
_URL = re.compile(rf"https?://{_HOST}(:(?P<port>{_PORT}))?/?")
_SHORT = re.compile(rf"{_HOST}:(?P<port>{_PORT})/?")
_MAX_PORT = 65_535
_LOOPBACK = re.compile(r"https?://(127(\.[0-9]{1,3}){3}|localhost|\[::1\])(:[0-9]+)?/?", re.IGNORECASE)


class NoAddress(StreamVerifyError):
    """A text is not the address of a process."""

    exit_code = 2


def is_url(text: str) -> bool:
    """Tell whether a text is an address of ours: a scheme, a host, perhaps a port, and nothing else."""
    match = _URL.fullmatch(text)
    return match is not None and int(match["port"] or "1") in range(1, _MAX_PORT + 1)


def parse_address(text: str) -> str:
    """Read an address as a person writes it: `http://host:9464`, `host:9464`, or `9464` on this machine.

    Returns:
        The URL, without a slash at its end.

    Raises:
        NoAddress: The text is not an address.
    """
    word = text.strip()
    if word.isascii() and word.isdigit():
        word = f"127.0.0.1:{word}"
    if _SHORT.fullmatch(word):
        word = f"http://{word}"
    if not is_url(word):
        raise NoAddress(f"{text[:80]!r} is no address: http://HOST:PORT, HOST:PORT, or the PORT on this machine")
    return word.rstrip("/")


def is_local(url: str) -> bool:
    """Tell whether an address means the machine of whoever uses it."""
    return _LOOPBACK.fullmatch(url) is not None


def local_urls() -> list[str]:
    """List the addresses at which processes of this machine answer, where their ports were left to them."""
    return [f"http://127.0.0.1:{port}" for port in range(FIRST_PORT, FIRST_PORT + LOCAL_PORTS)]
