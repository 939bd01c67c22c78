"""Decides which requests of a browser a gateway answers: none that another site has made it send. Pure.

Two attacks are meant. *Cross-site request forgery*: a page anywhere lets the visitor's browser post a form to
`http://localhost:8000`; a form may be `text/plain`, so its content type is no protection where an endpoint takes that.
*DNS rebinding*: a page of `evil.example`, whose name now means 127.0.0.1, is of the same origin as the gateway for the
browser, and may read the answers. Programs that are no browsers send neither `Origin` nor `Sec-Fetch-Site`.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing here; that another origin cannot read the answer is the browser's business."""


def foreign_site(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether another site made a browser send this. The names of `headers` are in lower case."""
    if method in _HARMLESS:
        return False
    if site := headers.get("sec-fetch-site"):
        # A script cannot set it. Browsers send it over https and to this machine; `none` is the user's own doing.
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and _authority(origin) != headers.get("host", "").lower()


def _authority(origin: str) -> str | None:
    """Take host and port of an origin as a `Host` header has them; None for `null` and for what is no origin."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() or None


def names_this_machine(host: str) -> bool:
    """Tell whether a `Host` header can be that of a gateway on loopback: `localhost`, or an address.

    An address cannot be rebound; every other name can be one of somebody else's that now means this machine.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
