"""The endpoints that verify, and what each of them asks of a request before it begins."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from streamverify.core.keys import ANYBODY
from streamverify.core.messages.models import Assurance, Reason
from streamverify.core.trace_context import headers_of_http
from streamverify.gateway.answer import NDJSON, BatchAnswer, OneAnswer
from streamverify.gateway.axle import ProofAnswer, ProofBody, check_options, proof_answer, with_header
from streamverify.gateway.bodies import BodyError, CheckBody, VerifyBody, read_body
from streamverify.gateway.kimina import CheckAnswer, VerifyAnswer, check_answer, verify_answer
from streamverify.gateway.outcome import Outcome, no_verdict, refused
from streamverify.gateway.request_reply import Asked, Proof
from streamverify.gateway.service import Gateway  # noqa: TC001 - FastAPI reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


_log = structlog.get_logger(__name__)

router = APIRouter()

_RETRY_AFTER = {"Retry-After": "5"}
_BODY_PAUSE = 60.0
"""Seconds that a client may pause in the middle of its body."""


def gateway_of(request: Request) -> Gateway:
    """The gateway that a request came to."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def caller(request: Request) -> str:
    """The name of the caller's key.

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


def trace_of(request: Request) -> tuple[tuple[str, bytes], ...]:
    """The Kafka headers that carry the trace of an HTTP request on to each of its proofs."""
    return headers_of_http(request.headers.getlist("traceparent"), request.headers.getlist("tracestate"))


@dataclass(slots=True)
class Held:
    """A request that was taken in: its body, and how many bytes it counts for."""

    key: str
    body: bytes = b""
    size: int = 0


async def hold(request: Request, key: Annotated[str, Depends(caller)]) -> AsyncIterator[Held]:
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
    if declared > limit:
        raise too_large
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "Content-Encoding: only identity, that is none, is read")
    held = Held(key, size=declared)
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
    """The next part of a body, b"" at its end.

    Raises:
        HTTPException: None came for long. A client whose machine is gone never says so, and would hold its place.
    """
    try:
        async with asyncio.timeout(_BODY_PAUSE):
            return await anext(parts, b"")
    except TimeoutError:
        raise HTTPException(408, f"nothing of the body came for {_BODY_PAUSE:g} s", {"Connection": "close"}) from None


def _described(form: type[CheckBody | VerifyBody | ProofBody], media_type: str) -> dict[str, Any]:
    """The part of the OpenAPI document about a body, which is read without FastAPI: it is one of `app.FORMS`."""
    schema = {"$ref": f"#/components/schemas/{form.__name__}"}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


@router.post("/api/check/", include_in_schema=False)
@router.post(
    "/api/check",
    summary="Check snippets (kimina-lean-server, version 2)",
    responses={200: {"model": CheckAnswer}},
    openapi_extra=_described(CheckBody, "application/json"),
)
async def check(request: Request, held: Annotated[Held, Depends(hold)]) -> Response:
    """Verify snippets. With `Accept: application/x-ndjson` each answer is a line, written as soon as it is known."""
    body = read_body(held.body, CheckBody)
    gateway = gateway_of(request)
    callers_ids = [snippet.id for snippet in body.snippets]
    batch = _Batch(
        "snippets",
        [
            proof_to_send(gateway, item.code, item.statement, item.theorem, callers_id=str(item.id), group=item.group)
            for item in body.snippets
        ],
        body.environment,
        Asked(
            gateway.assurance(body.require),
            body.timeout,
            infotree_type=body.infotree,
            disable_cache=not body.reuse,
            run=body.run,
            first_success=body.first_success,
            trace=trace_of(request),
        ),
        lambda index, outcome: check_answer(callers_ids[index], outcome, debug=body.debug),
    )
    return _answer(request, held, batch)


@router.post(
    "/one_pass_verify_batch",
    summary="Verify a batch (the older name of /verify)",
    responses={200: {"model": VerifyAnswer}},
    openapi_extra=_described(VerifyBody, "application/json"),
)
@router.post(
    "/verify",
    summary="Verify a batch (kimina-lean-server, version 1)",
    responses={200: {"model": VerifyAnswer}},
    openapi_extra=_described(VerifyBody, "application/json"),
)
async def verify(request: Request, held: Annotated[Held, Depends(hold)]) -> Response:
    """Verify proofs. With `Accept: application/x-ndjson` each answer is a line, written as soon as it is known."""
    body = read_body(held.body, VerifyBody)
    gateway = gateway_of(request)
    callers_ids = [code.custom_id for code in body.codes]
    batch = _Batch(
        "codes",
        [
            proof_to_send(
                gateway,
                item.code if item.proof is None else item.proof,
                item.statement,
                callers_id=str(item.custom_id),
                group=item.group,
            )
            for item in body.codes
        ],
        body.environment,
        Asked(
            gateway.assurance(body.require),
            body.timeout,
            infotree_type=body.infotree_type,
            disable_cache=body.disable_cache,
            run=body.run,
            first_success=body.first_success,
            trace=trace_of(request),
        ),
        lambda index, outcome: verify_answer(callers_ids[index], outcome),
    )
    return _answer(request, held, batch)


@router.post(
    "/api/v1/verify_proof",
    summary="Verify a proof of a statement (AXLE)",
    responses={200: {"model": ProofAnswer}},
    openapi_extra=_described(ProofBody, "text/plain"),
)
async def verify_proof(request: Request, held: Annotated[Held, Depends(hold)]) -> Response:
    """Audit a proof against a formal statement. The answer is one line of JSON."""
    body = read_body(held.body, ProofBody)
    check_options(body)
    gateway = gateway_of(request)
    environment, way = gateway.way(body.environment)
    content, statement = body.content, body.formal_statement
    if body.ignore_imports and environment.header:
        content, statement = with_header(content, environment.header), with_header(statement, environment.header)
    asked = Asked(Assurance.AUDITED, body.timeout_seconds, trace=trace_of(request))
    proofs = [proof_to_send(gateway, content, statement)]
    gateway.count(held.key, 1, asked)
    return OneAnswer(
        way.answers(proofs, asked, held.key, gateway.settings.gateway_wait, ordered=True),
        lambda outcome: proof_answer(content, outcome),
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a request for several proofs comes down to. `field` is the one that they stand in."""

    field: str
    proofs: Sequence[Proof | Outcome]
    environment: str | None
    asked: Asked
    item: Callable[[int, Outcome], dict[str, Any]]


def _answer(request: Request, held: Held, batch: _Batch) -> Response:
    # Its proofs are in the batch now; the bytes need not be kept until the last of them has its verdict.
    held.body = b""
    gateway = gateway_of(request)
    count, limit = len(batch.proofs), gateway.settings.gateway_batch
    if count > limit:
        raise BodyError(
            422,
            batch.field,
            f"has {count:,} proofs; at most {limit:,} are taken (the gateway's setting GATEWAY_BATCH)",
        )
    _, way = gateway.way(batch.environment)
    gateway.count(held.key, count, batch.asked)
    ndjson = NDJSON in request.headers.get("accept", "")
    outcomes = way.answers(batch.proofs, batch.asked, held.key, gateway.settings.gateway_wait, ordered=not ndjson)
    return BatchAnswer(outcomes, count, batch.item, ndjson=ndjson)


def proof_to_send(
    gateway: Gateway,
    code: str | None,
    statement: str | None = None,
    theorem: str | None = None,
    **of_caller: str | None,
) -> Proof | Outcome:
    """The proof to send, or the outcome of one that need not be sent; `of_caller`: its `callers_id` and `group`."""
    if code is None:
        return refused(Reason.INVALID_REQUEST, "there is no proof: the field is missing, null, or no text")
    proof = Proof(code, statement, theorem, **of_caller)
    limit = gateway.settings.max_proof_bytes
    # A code point has at most four bytes: most need not be encoded to be measured.
    if proof.size * 4 > limit and (size := len(code.encode()) + len((statement or "").encode())) > limit:
        return no_verdict(
            Reason.TOO_LARGE,
            f"the proof has {size:,} bytes, and this gateway takes at most {limit:,}: its MAX_PROOF_BYTES raises that",
        )
    return proof
