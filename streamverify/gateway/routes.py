"""The endpoints that verify, and what each of them asks of a request before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from streamverify.core.messages.models import Assurance, Reason
from streamverify.core.tracing.trace_context import headers_of_http
from streamverify.gateway.axle import ProofAnswer, ProofBody, check_options, proof_answer, with_header
from streamverify.gateway.batch import BatchOptions, BatchProof
from streamverify.gateway.bodies import BodyError, CheckBody, VerifyBody, read_body
from streamverify.gateway.holding import HeldRequest, gateway_of, hold
from streamverify.gateway.kimina import CheckAnswer, VerifyAnswer, check_answer, verify_answer
from streamverify.gateway.outcome import ProofOutcome, no_verdict, refused
from streamverify.gateway.responses import NDJSON, BatchResponse, SingleResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamverify.gateway.gateway import Gateway


router = APIRouter()


def trace_of(request: Request) -> tuple[tuple[str, bytes], ...]:
    """Return the Kafka headers that carry the trace of an HTTP request on to each of its proofs."""
    return headers_of_http(request.headers.getlist("traceparent"), request.headers.getlist("tracestate"))


def _described(form: type[CheckBody | VerifyBody | ProofBody], media_type: str) -> dict[str, Any]:
    """Make the part of the OpenAPI document about a body, which is read without FastAPI: it is one of `app.FORMS`."""
    schema = {"$ref": f"#/components/schemas/{form.__name__}"}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


@router.post("/api/check/", include_in_schema=False)
@router.post(
    "/api/check",
    summary="Check snippets (kimina-lean-server, version 2)",
    responses={200: {"model": CheckAnswer}},
    openapi_extra=_described(CheckBody, "application/json"),
)
async def check(request: Request, held: Annotated[HeldRequest, Depends(hold)]) -> Response:
    """Verify snippets. With `Accept: application/x-ndjson` each answer is a line, written as soon as it is known."""
    body = read_body(held.body, CheckBody)
    gateway = gateway_of(request)
    callers_ids = [snippet.id for snippet in body.snippets]
    batch = _BatchRequest(
        "snippets",
        [
            proof_to_send(gateway, item.code, item.statement, item.theorem, callers_id=str(item.id), group=item.group)
            for item in body.snippets
        ],
        body.environment,
        BatchOptions(
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
async def verify(request: Request, held: Annotated[HeldRequest, Depends(hold)]) -> Response:
    """Verify proofs. With `Accept: application/x-ndjson` each answer is a line, written as soon as it is known."""
    body = read_body(held.body, VerifyBody)
    gateway = gateway_of(request)
    callers_ids = [code.custom_id for code in body.codes]
    batch = _BatchRequest(
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
        BatchOptions(
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
async def verify_proof(request: Request, held: Annotated[HeldRequest, Depends(hold)]) -> Response:
    """Audit a proof against a formal statement. The answer is one line of JSON."""
    body = read_body(held.body, ProofBody)
    check_options(body)
    gateway = gateway_of(request)
    environment, way = gateway.way(body.environment)
    content, statement = body.content, body.formal_statement
    if body.ignore_imports and environment.header:
        content, statement = with_header(content, environment.header), with_header(statement, environment.header)
    options = BatchOptions(Assurance.AUDITED, body.timeout_seconds, trace=trace_of(request))
    proofs = [proof_to_send(gateway, content, statement)]
    gateway.count(held.key, 1, options)
    return SingleResponse(
        way.answers(proofs, options, held.key, gateway.settings.gateway_wait, ordered=True),
        lambda outcome: proof_answer(content, outcome),
    )


@dataclass(frozen=True, slots=True)
class _BatchRequest:
    """A request for several proofs, whatever its endpoint. `field` is the one that they stand in."""

    field: str
    proofs: Sequence[BatchProof | ProofOutcome]
    environment: str | None
    options: BatchOptions
    item: Callable[[int, ProofOutcome], dict[str, Any]]


def _answer(request: Request, held: HeldRequest, batch: _BatchRequest) -> Response:
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
    gateway.count(held.key, count, batch.options)
    ndjson = NDJSON in request.headers.get("accept", "")
    outcomes = way.answers(batch.proofs, batch.options, held.key, gateway.settings.gateway_wait, ordered=not ndjson)
    return BatchResponse(outcomes, count, batch.item, ndjson=ndjson)


def proof_to_send(
    gateway: Gateway,
    code: str | None,
    statement: str | None = None,
    theorem: str | None = None,
    **of_caller: str | None,
) -> BatchProof | ProofOutcome:
    """Return the proof to send, or the outcome of one that need not be; `of_caller`: its `callers_id` and `group`."""
    if code is None:
        return refused(Reason.INVALID_REQUEST, "there is no proof: the field is missing, null, or no text")
    proof = BatchProof(code, statement, theorem, **of_caller)
    limit = gateway.settings.max_proof_bytes
    # A code point has at most four bytes: most need not be encoded to be measured.
    if proof.size * 4 > limit and (size := len(code.encode()) + len((statement or "").encode())) > limit:
        return no_verdict(
            Reason.TOO_LARGE,
            f"the proof has {size:,} bytes, and this gateway takes at most {limit:,}: its MAX_PROOF_BYTES raises that",
        )
    return proof
