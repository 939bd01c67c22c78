"""Decides what a delivered record becomes: a job, a verdict at once, or a dead letter.

The order of the reasons is that of the wire format: invalid_request, too_large, expired, superseded where the request
was cancelled, header_error, policy; then what needs Lean, and unsupported where the worker has only a stand-in. Pure:
the clock's readings are passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.core.audit.checked import objection
from streamverify.core.audit.policy import check
from streamverify.core.audit.statement import BadStatement, read_statement
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.errors import HeaderError, RefusedRequest, RequestTooLarge, UndecodableRequest, at
from streamverify.core.groups.scope import scope_of
from streamverify.core.job import Job, Verdict
from streamverify.core.messages.codec import RequestLimits, decode_request
from streamverify.core.messages.models import Assurance, ProofRequest, Reason
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.job import Record


@dataclass(frozen=True, slots=True)
class RefusedParts:
    """The parts of a refused request that could be read: they go back in its result."""

    custom_id: str
    metadata: dict[str, Any] | None
    run: str | None
    group: str | None


@dataclass(frozen=True, slots=True)
class Requester:
    """The sender of a request: its record, and the request, of which a part goes back in the result."""

    record: Record
    request: ProofRequest | RefusedParts


@dataclass(frozen=True, slots=True)
class ImmediateVerdict:
    """A verdict that needs no Lean."""

    requester: Requester
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """The record names no custom_id to answer under: it goes to the dead letters."""

    error: UndecodableRequest


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """The rules for requests: their limits, and the assurance where a request does not name one.

    `require` is the assurance where a request names none, `require_min` the one below which no request may go,
    `highest_tier` the highest that this worker can give: a stand-in's is `checked`, that of a Lean without checkers
    `audited`. `beyond` says in words what it lacks for more. `vocabulary` is what the
    policy goes by before a header is imported. `consumer_group` and `result_topic` are the worker's own: attempts that
    are sent elsewhere belong to no group here.
    """

    limits: RequestLimits
    require: Assurance
    require_min: Assurance
    highest_tier: Assurance
    beyond: str = ""
    vocabulary: Vocabulary = SHIPPED
    consumer_group: str = ""
    result_topic: str = ""
    ignore_deadlines: bool = False

    def assurance(self, request: ProofRequest) -> Assurance:
        """The assurance that makes this proof `verified`."""
        asked = self.require if request.require is None else Assurance(request.require)
        return max(asked, self.require_min)


def take_in(  # noqa: PLR0911 - one for each reason, in the order of the wire format
    record: Record,
    rules: IntakeRules,
    now: datetime,
    cancelled: Callable[[Record, ProofRequest], Verdict | None] = lambda _record, _request: None,
) -> Job | ImmediateVerdict | Unanswerable:
    """Decide what a delivered record becomes.

    Args:
        record: The record.
        rules: The worker's.
        now: The wall clock's time, with its zone.
        cancelled: Gives the verdict on a request that was cancelled.
    """
    try:
        request = decode_request(record.value, limits=rules.limits)
    except UndecodableRequest as error:
        return Unanswerable(error)
    except RefusedRequest as error:
        reason = Reason.TOO_LARGE if isinstance(error, RequestTooLarge) else Reason.INVALID_REQUEST
        # Not the error itself: its traceback would keep this call, and with it the record.
        refused = RefusedParts(error.custom_id, error.metadata, error.run, error.group)
        return ImmediateVerdict(Requester(record, refused), Verdict(reason, str(error)))
    if rules.ignore_deadlines:
        # Whoever wanted the answer by then has had it, or has gone: a topic is verified again.
        request = request.model_copy(update={"deadline": None})
    requester = Requester(record, request)
    assurance = rules.assurance(request)
    audited = assurance >= Assurance.AUDITED
    # A statement is compared with from `audited` on; at `checked` nobody looks at it.
    verdict = (_bad_statement(request, rules.vocabulary) if audited else None) or _expired(request, now)
    verdict = verdict or cancelled(record, request)
    if verdict is not None:
        return ImmediateVerdict(requester, verdict)
    # Only now: parsing a proof that is too late, or that nobody wants, would be for nothing.
    try:
        header = parse_header(request.proof)
    except HeaderError as error:
        # Lean was not asked, so there is no answer of it: the sentence has the place.
        return ImmediateVerdict(requester, Verdict(Reason.HEADER_ERROR, f"{at(error.line, error.column)}: {error}"))
    # At `checked` findings are told, from `audited` on they reject the proof before any of its code is run.
    findings = check(request.proof, header, rules.vocabulary)
    if audited and findings:
        return ImmediateVerdict(requester, Verdict(Reason.POLICY, objection(findings), findings=findings))
    if assurance > rules.highest_tier:
        return ImmediateVerdict(requester, Verdict(Reason.UNSUPPORTED, _out_of_reach(assurance, rules)))
    scope = scope_of(
        request, record.kafka_headers, consumer_group=rules.consumer_group, result_topic=rules.result_topic
    )
    return Job(record, request, header, assurance, findings, scope)


def _out_of_reach(asked: Assurance, rules: IntakeRules) -> str:
    if rules.highest_tier < Assurance.AUDITED:
        return (
            "nothing was run: only a Lean can be audited, and this worker has a stand-in; ask for require=checked, or "
            "set STREAMVERIFY_REQUIRE=checked there"
        )
    why = f" ({rules.beyond})" if rules.beyond else ""
    return (
        f"nothing was run: {asked} was asked for, and this worker reaches {rules.highest_tier}{why}; see what "
        "`streamverify doctor` says there, or ask for less"
    )


def _expired(request: ProofRequest, now: datetime) -> Verdict | None:
    if request.deadline is None or now <= request.deadline:
        return None
    return Verdict(Reason.EXPIRED, f"the deadline {request.deadline.isoformat()} passed before the proof was started")


def _bad_statement(request: ProofRequest, vocabulary: Vocabulary) -> Verdict | None:
    """Return a verdict if the statement is wrong in a way that shows without Lean."""
    if request.statement is None:
        return None
    try:
        read_statement(request.statement, vocabulary)
    except BadStatement as error:
        return Verdict(Reason.INVALID_REQUEST, error.sentence)
    return None
