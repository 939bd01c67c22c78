"""What becomes of a delivered record: a job, an answer at once, or a dead letter.

The order of the reasons is that of the wire format: invalid_request, too_large, expired, header_error, policy; then
what needs Lean, and where there is none to audit, unsupported. Pure: the clock's readings are passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.core.codec import RequestLimits, decode_request
from streamverify.core.errors import HeaderError, RefusedRequest, RequestTooLarge, UndecodableRequest
from streamverify.core.header import parse_header
from streamverify.core.jobs import Job
from streamverify.core.judge import objection
from streamverify.core.models import Assurance, Message, ProofRequest, Reason, Response, Source
from streamverify.core.policy import SHIPPED, check
from streamverify.core.statement import BadStatement, read_statement
from streamverify.core.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from streamverify.core.ledger import Place
    from streamverify.core.policy import Vocabulary


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record of the request topic, free of Kafka's types. `received` is in monotonic seconds."""

    source: Source
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    place: Place
    received: float


@dataclass(frozen=True, slots=True)
class Asker:
    """Who gets an answer, and what of the request goes back with it."""

    custom_id: str
    metadata: dict[str, Any] | None
    proof: str | None
    source: Source
    headers: Sequence[tuple[str, bytes | None]]

    @classmethod
    def of(cls, job: Job) -> Asker:
        """The one who sent this job."""
        request = job.request
        return cls(request.custom_id, request.metadata, request.proof, job.source, job.headers)


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict that needs no Lean."""

    asker: Asker
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """Nobody can be answered: this goes to the dead letters."""

    error: UndecodableRequest


@dataclass(frozen=True, slots=True)
class Terms:
    """What this worker takes, and what it answers where a request does not say.

    `require` is the assurance where a request names none, `require_min` the one below which no request may go,
    `audits` says whether what verifies can be audited at all: no stand-in can. `vocabulary` is what the policy goes by
    before a header is imported.
    """

    limits: RequestLimits
    require: Assurance
    require_min: Assurance
    audits: bool
    vocabulary: Vocabulary = SHIPPED

    def assurance(self, request: ProofRequest) -> Assurance:
        """What makes this proof verified."""
        asked = self.require if request.require is None else Assurance(request.require)
        return max(asked, self.require_min, key=_RANKS.index)


_RANKS = (Assurance.NONE, Assurance.CHECKED, Assurance.AUDITED)


def take_in(delivery: Delivery, terms: Terms, now: datetime) -> Job | Answer | Unanswerable:
    """Decide what a delivered record becomes. `now` is the wall clock's time, with its zone."""
    try:
        request = decode_request(delivery.value, limits=terms.limits)
    except UndecodableRequest as error:
        return Unanswerable(error)
    except RefusedRequest as error:
        return _refuse(delivery, error)
    return _prepare(delivery, request, terms, now)


def _prepare(delivery: Delivery, request: ProofRequest, terms: Terms, now: datetime) -> Job | Answer:
    asker = Asker(request.custom_id, request.metadata, request.proof, delivery.source, delivery.headers)
    assurance = terms.assurance(request)
    audited = assurance is Assurance.AUDITED
    verdict = (_bad_statement(request, terms.vocabulary) if audited else None) or _expired(request, now)
    if verdict is not None:
        return Answer(asker, verdict)
    try:
        header = parse_header(request.proof)
    except HeaderError as error:
        return Answer(asker, _bad_header(error))
    findings = check(request.proof, header, terms.vocabulary)
    if audited and findings:
        return Answer(asker, Verdict(Reason.POLICY, objection(findings), findings=findings))
    if audited and not terms.audits:
        return Answer(asker, _unsupported())
    return Job(
        request,
        header,
        delivery.source,
        delivery.headers,
        delivery.place,
        delivery.received,
        assurance=assurance,
        findings=findings,
    )


def _expired(request: ProofRequest, now: datetime) -> Verdict | None:
    if request.deadline is None or now <= request.deadline:
        return None
    return Verdict(Reason.EXPIRED, f"the deadline {request.deadline.isoformat()} passed before the proof was started")


def _bad_statement(request: ProofRequest, vocabulary: Vocabulary) -> Verdict | None:
    """What can be said of a statement without Lean; it is compared with at `audited` alone."""
    if request.statement is None:
        return None
    try:
        read_statement(request.statement, vocabulary)
    except BadStatement as error:
        return Verdict(Reason.INVALID_REQUEST, error.sentence)
    return None


def _unsupported() -> Verdict:
    return Verdict(
        Reason.UNSUPPORTED,
        "nothing was run: only a Lean can be audited, and this worker has a stand-in; ask for require=checked, or set "
        "STREAMVERIFY_REQUIRE=checked there",
    )


def _refuse(delivery: Delivery, error: RefusedRequest) -> Answer:
    reason = Reason.TOO_LARGE if isinstance(error, RequestTooLarge) else Reason.INVALID_REQUEST
    asker = Asker(error.custom_id, error.metadata, None, delivery.source, delivery.headers)
    return Answer(asker, Verdict(reason, str(error)))


def _bad_header(error: HeaderError) -> Verdict:
    message = Message(severity="error", pos={"line": error.line, "column": error.column}, endPos=None, data=str(error))
    response = Response(messages=[message])
    return Verdict(Reason.HEADER_ERROR, f"line {error.line}, column {error.column}: {error}", response)
