"""The endpoints of the page: its files, the verdict on what is pasted into it, and the live state as events."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.sse import EventSourceResponse
from starlette.staticfiles import StaticFiles

from streamverify.core.audit.policy_rules import RULES
from streamverify.core.live import backlog_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.core.live import LiveState
    from streamverify.gateway.page.monitor import Monitor

STATIC = Path(__file__).parent / "static"
_TICK = 1.0
"""Seconds between two events of an open page, if something has changed."""
_MAX_PAGES = 200
"""Pages that may follow the events at once: each holds a connection."""
_FIELDS = frozenset({"proof", "statement", "require", "timeout"})
_JSON = "application/json"


class Gateway(Protocol):
    """What the page needs of the gateway that it is a part of."""

    @property
    def keyed(self) -> bool:
        """Whether API keys are set: then nobody sees what was sent with another key."""

    @property
    def in_flight(self) -> int:
        """Proofs that this gateway was given and has not answered."""

    def owner(self, request: Request) -> str | None:
        """The name of the API key of a request, empty where none is asked for; None: it has no valid one."""

    async def verify(self, fields: dict[str, Any], owner: str) -> tuple[int, bytes]:
        """Have one proof verified.

        Returns:
            200 and a ProofResult, or another status and an object whose `error` says why there is none; both as JSON.
        """


@dataclass(slots=True)
class Page:
    """The page of one gateway."""

    gateway: Gateway
    live: LiveState
    monitor: Monitor
    closing: asyncio.Event
    """Set when the gateway ends: an open page would keep it waiting."""
    followers: int = 0

    def router(self) -> APIRouter:
        """The endpoints. They are not in the OpenAPI document: they are the page's, and may change with it."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/page/rules.json", self.rules, methods=["GET"])
        router.add_api_route("/api/page/verify", self.verify, methods=["POST"])
        router.add_api_route("/events", self.events, methods=["GET"])
        router.mount("/page", StaticFiles(directory=STATIC))
        return router

    def index(self) -> Response:
        """The page itself."""
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def rules(self) -> Response:
        """The rules of the policy in words, by their id."""
        words = {rule.id: {"summary": rule.summary, "reason": rule.reason} for rule in RULES.values()}
        return Response(orjson.dumps(words), media_type=_JSON)

    async def verify(self, request: Request) -> Response:
        """Verify what was pasted. The content type is one that a form of another site cannot send."""
        owner = self.gateway.owner(request)
        if owner is None:
            return _refusal(401, "this gateway asks for an API key")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            return _refusal(415, f"the content type must be {_JSON}")
        try:
            fields = orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            return _refusal(400, f"the body is no JSON: {error}")
        if not isinstance(fields, dict):
            return _refusal(400, "the body must be an object")
        if strange := sorted(fields.keys() - _FIELDS):
            return _refusal(400, f"there is no field `{strange[0][:80]}`; there are {', '.join(sorted(_FIELDS))}")
        status, body = await self.gateway.verify(fields, owner)
        return Response(body, status, media_type=_JSON)

    async def events(self, request: Request) -> Response:
        """The live state, whenever it has changed, at most once a second."""
        owner = self.gateway.owner(request)
        if owner is None:
            return _refusal(401, "this gateway asks for an API key")
        if self.followers >= _MAX_PAGES:
            return JSONResponse({"error": "too many pages are open"}, 503, headers={"Retry-After": "15"})
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return EventSourceResponse(self._states(owner), headers=headers)

    async def _states(self, owner: str) -> AsyncIterator[bytes]:
        self.followers += 1
        try:
            with self.monitor.watching():
                before = b""
                while not self.closing.is_set():
                    state = orjson.dumps(self.state(owner, time.monotonic()))
                    # A comment where nothing has changed: that the reader is gone shows only when something is sent.
                    yield b":\n\n" if state == before else b"data: " + state + b"\n\n"
                    before = state
                    await _wait(self.closing, _TICK)
        finally:
            self.followers -= 1

    def state(self, owner: str, now: float) -> dict[str, Any]:
        """What a page shows. With API keys, verdicts and headers are those of the key that asks."""
        rate = self.live.rate(now)
        to_do = self.monitor.to_do
        return {
            "in_flight": self.gateway.in_flight,
            "to_do": to_do,
            "backlog_seconds": None if to_do is None else backlog_seconds(to_do, rate),
            "rate": round(rate, 2),
            "dead_letters": self.monitor.dead_letters,
            "reasons": self.live.reasons(),
            "headers": [asdict(one) for one in self.live.headers_of(owner)],
            "last": [asdict(one) for one in (self.live.last_of(owner) if self.gateway.keyed else self.live.last())],
            "own_only": self.gateway.keyed,
        }


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _refusal(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status)
