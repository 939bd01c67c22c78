"""The address under which others reach this process over HTTP."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamverify.settings import Settings

_EVERY_ADDRESS = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104 - compared, not listened on
_KAFKA = 9092


def advertised_url(settings: Settings, port: int) -> str:
    """Return the setting ADVERTISED_URL; without it this machine's address, with the port that was listened on.

    The machine's address is the one that it is configured to listen on (HTTP_HOST), else the one towards a broker:
    whoever reaches the brokers of a cluster is likely to reach its workers in the same way.
    """
    if settings.advertised_url:
        return settings.advertised_url.rstrip("/")
    host = settings.http_host
    # Nobody can connect to "every address": one has to be named.
    if host in _EVERY_ADDRESS:
        host = _address_towards(settings.bootstrap_servers.split(",")[0].strip())
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _address_towards(server: str) -> str:
    broker, _, port = server.rpartition(":")
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(
            broker.strip("[]"), int(port or _KAFKA), type=socket.SOCK_DGRAM
        )
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Sends nothing: the system only chooses the address that it would send from.
            probe.connect(address)
            name: str = probe.getsockname()[0]
            return name
    except OSError:
        return socket.gethostname()
