"""Takes a request in: who calls, is there room, and its body within the limits. It is held until it is answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import structlog
from fastapi import Depends, HTTPException, Request

from streamverify.core.gateway.keys import ANYBODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.gateway.gateway import Gateway

_log = structlog.get_logger(__name__)

_RETRY_AFTER = {"Retry-After": "5"}
_BODY_PAUSE = 60.0
"""Seconds that a client may pause in the middle of its body."""


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that a request came to."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def caller(request: Request) -> str:
    """Return the name of the caller's key.

    Raises:
        HTTPException: Keys are set, and the request has none of them.
    """
    keys = gateway_of(request).keys
    if not keys:
        return ANYBODY
    name = keys.name_of(request.headers.get("authorization"))
    if name is None:
        _log.info("unknown_key", path=request.url.path, client=request.client and request.client.host)
        raise HTTPException(
            401, "Authorization: Bearer KEY, with one of the gateway's API_KEYS", {"WWW-Authenticate": "Bearer"}
        )
    return name


@dataclass(slots=True)
class HeldRequest:
    """A request that was taken in: its body, and how many bytes it counts for."""

    key: str
    body: bytes = b""
    size: int = 0


async def hold(request: Request, key: Annotated[str, Depends(caller)]) -> AsyncIterator[HeldRequest]:
    """Take a request in, with its body, until it is answered.

    Raises:
        HTTPException: There is no broker, no room, or the body is too large.
    """
    gateway = gateway_of(request)
    if gateway.trouble:
        raise HTTPException(503, gateway.trouble, _RETRY_AFTER)
    limit = gateway.settings.gateway_body
    declared = int(request.headers.get("content-length") or 0)
    too_large = HTTPException(413, f"the body has more than {limit} bytes (the gateway's setting GATEWAY_BODY)")
    # Before a byte of it is read, where the client says how long it is.
    if declared > limit:
        raise too_large
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "Content-Encoding: only identity, that is none, is read")
    held = HeldRequest(key, size=declared)
    full = HTTPException(429, "the gateway holds as many requests as it may; come again", _RETRY_AFTER)
    if not gateway.admission.enter(declared):
        _log.info("refused", key=key, **gateway.status())
        raise full
    try:
        body = bytearray()
        parts = request.stream()
        while part := await _next(parts):
            body += part
            if len(body) > limit:
                raise too_large
            # A body without Content-Length is counted as it comes.
            if len(body) > held.size:
                if not gateway.admission.grow(len(body) - held.size):
                    raise full
                held.size = len(body)
        held.body = bytes(body)
        yield held
    finally:
        gateway.admission.leave(held.size)


async def _next(parts: AsyncIterator[bytes]) -> bytes:
    """Return the next part of a body, b"" at its end.

    Raises:
        HTTPException: None came for long. A client whose machine is gone never says so, and would hold its place.
    """
    try:
        async with asyncio.timeout(_BODY_PAUSE):
            return await anext(parts, b"")
    except TimeoutError:
        raise HTTPException(408, f"nothing of the body came for {_BODY_PAUSE:g} s", {"Connection": "close"}) from None
