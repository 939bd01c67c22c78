"""The endpoints of the page: its files, the verdict on what is pasted into it, and the live state as events."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, Response
from fastapi.sse import EventSourceResponse
from pydantic import AfterValidator, Field
from starlette.staticfiles import StaticFiles

from streamverify.core.audit.policy_rules import RULES
from streamverify.core.gateway.live import seconds_at_rate
from streamverify.core.messages import jsontext
from streamverify.core.messages.models import Assurance
from streamverify.gateway.batch import BatchOptions
from streamverify.gateway.bodies import Body, BodyError, Require, Seconds, read_body
from streamverify.gateway.holding import HeldRequest, caller, gateway_of, hold
from streamverify.gateway.responses import SingleResponse
from streamverify.gateway.routes import proof_to_send, trace_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.gateway.gateway import Gateway
    from streamverify.gateway.outcome import ProofOutcome

STATIC = Path(__file__).parent / "static"
_TICK = 1.0
"""Seconds between two events of an open page, if something has changed."""
_MAX_PAGES = 200
"""Pages that may follow the events at once: each holds a connection."""
_JSON = "application/json"
_ID = "page"
"""The id of what is pasted, in the list of the last verdicts."""

router = APIRouter(include_in_schema=False)


def _whole(text: str) -> str:
    if not jsontext.is_encodable(text):
        raise ValueError("has half of a surrogate pair, which is no character, or bytes that are no UTF-8")
    return text


_Lean = Annotated[str, AfterValidator(_whole)]


class PastedProof(Body):
    """The body of `POST /api/page/verify`. It is the page's, and may change with it."""

    proof: _Lean
    statement: _Lean | None = None
    require: Require = None
    timeout: Annotated[Seconds | None, Field(description="Null: the worker's default.")] = None


def index() -> Response:
    """Return the page itself."""
    return FileResponse(STATIC / "index.html", headers={"Vary": "Accept"})


@router.get("/page/rules.json")
async def rules() -> Response:
    """Return the rules of the policy in words, by their id."""
    words = {rule.id: {"summary": rule.summary, "reason": rule.reason} for rule in RULES.values()}
    return Response(orjson.dumps(words), media_type=_JSON)


# After the rules: a mount takes every path below it.
router.mount("/page", StaticFiles(directory=STATIC))


@router.post("/api/page/verify")
async def verify(request: Request, held: Annotated[HeldRequest, Depends(hold)]) -> Response:
    """Verify what was pasted. The answer is a ProofResult without what its reader has not sent."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        # A form of another site can be sent as text, and not as JSON: for that its browser would have to ask us first.
        raise HTTPException(415, f"the Content-Type must be {_JSON}")
    body = read_body(held.body, PastedProof)
    gateway = gateway_of(request)
    settings = gateway.settings
    # Not what the endpoints of other servers ask for: the worker's own default, and a statement counts from `audited`.
    if body.statement is not None and body.require == "checked":
        raise BodyError(
            422, "require", "must be audited or more where there is a statement: `checked` does not look at it"
        )
    default = Assurance(settings.require)
    if body.statement is not None:
        default = max(default, Assurance.AUDITED)
    timeout = body.timeout or settings.default_timeout
    options = BatchOptions(gateway.assurance(body.require or default), timeout, trace=trace_of(request))
    proof = proof_to_send(gateway, body.proof, body.statement, callers_id=_ID)
    _, way = gateway.way(None)
    gateway.count(held.key, 1, options)
    return SingleResponse(way.answers([proof], options, held.key, settings.gateway_wait, ordered=True), _answer)


def _answer(outcome: ProofOutcome) -> dict[str, Any]:
    """Make a ProofResult where there is one, else its fields that say why there is none."""
    result = outcome.result
    fields: dict[str, Any] = {} if result is None else result.model_dump(exclude={"response"})
    if result is not None and result.response is not None:
        # The page shows messages; goals and infotrees may be large, and nested beyond what JSON can be written to.
        fields["response"] = {"messages": result.response.messages, "time": result.response.time}
    return fields | {
        "status": outcome.status,
        "reason": outcome.reason,
        "summary": outcome.sentence,
        "assurance": result.assurance if result is not None and outcome.verified else Assurance.NONE,
    }


@router.get("/events")
async def events(request: Request, key: Annotated[str, Depends(caller)]) -> Response:
    """Send the live state, whenever it has changed, at most once a second."""
    gateway = gateway_of(request)
    if gateway.monitor.watchers >= _MAX_PAGES:
        raise HTTPException(503, "as many pages follow the events as may", {"Retry-After": "15"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventSourceResponse(states(gateway, key), headers=headers)


async def states(gateway: Gateway, key: str) -> AsyncIterator[bytes]:
    """Yield the events of one page, until it or the gateway ends."""
    with gateway.monitor.watching():
        before = b""
        while not gateway.closing.is_set():
            state = orjson.dumps(state_of(gateway, key, time.monotonic()))
            # A comment where nothing has changed: that the reader is gone shows only when something is sent.
            yield b":\n\n" if state == before else b"data: " + state + b"\n\n"
            before = state
            try:
                async with asyncio.timeout(_TICK):
                    await gateway.closing.wait()
            except TimeoutError:
                continue


def state_of(gateway: Gateway, key: str, now: float) -> dict[str, Any]:
    """Return what a page shows. With API keys, verdicts and headers are those of the key that asks."""
    live, to_do = gateway.live, gateway.monitor.to_do
    # Who has a key must not see what others have sent; counts tell nothing of anybody.
    keyed = bool(gateway.keys)
    return {
        "in_flight": gateway.queue.in_flight + gateway.queue.waiting,
        "to_do": to_do,
        "backlog_seconds": None if to_do is None else seconds_at_rate(to_do, live.work_rate(now)),
        "rate": round(live.rate(now), 2),
        "dead_letters": gateway.monitor.dead_letters,
        "reasons": live.reasons(),
        "headers": [asdict(header) for header in live.headers_of(key)],
        "last": [asdict(verdict) for verdict in (live.last_of(key) if keyed else live.last())],
        "own_only": keyed,
    }
