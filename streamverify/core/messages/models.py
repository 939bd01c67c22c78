"""The messages on the topics: ProofRequest and ProofResult.

`streamverify schema` makes their JSON Schemas, in the folder `schemas`. How bytes become a request, and how a result
becomes bytes, is decided in `codec`. The words and objects of which the messages are made are defined in `reasons`,
`assurance` and `parts`; whoever handles messages has them from here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)

from streamverify.core.messages import jsontext
from streamverify.core.messages.assurance import Assurance, Require, is_enough
from streamverify.core.messages.parts import (
    MAX_CHECKERS,
    Cached,
    Checker,
    CheckerOutcome,
    Finding,
    Int64,
    Message,
    Position,
    Response,
    Seconds,
    Sha256,
    Source,
    Theorem,
    Timings,
    TruncationNote,
    Verifier,
    VerifierKind,
    Word,
    errors_in,
)
from streamverify.core.messages.reasons import LEAN_ANSWERED, OUTCOMES, Reason, Status

__all__ = [
    "LEAN_ANSWERED",
    "MAX_CHECKERS",
    "OUTCOMES",
    "Assurance",
    "Cached",
    "Checker",
    "CheckerOutcome",
    "Finding",
    "Int64",
    "Message",
    "Position",
    "ProofRequest",
    "ProofResult",
    "Reason",
    "Require",
    "Response",
    "Seconds",
    "Source",
    "Status",
    "Theorem",
    "Timings",
    "Verifier",
    "VerifierKind",
    "Word",
    "errors_in",
    "is_enough",
]

SCHEMA_VERSION = 3
"""Version of ProofResult. It grows when a reader that knows the old one would misread the new one."""


InfotreeType = Literal["full", "tactics", "original", "substantive"]

RUN_HEADER = "streamverify-run"
"""Kafka header of a request of our client, and of every result whose request has a `run`: the name of the run."""
MAX_CUSTOM_ID = 512
"""Code points of a custom_id."""
MAX_THEOREM = 512
"""Code points of a theorem's name."""
MAX_RUN = 128
"""Code points of the name of a run, and of a group."""
MAX_METADATA_BYTES = 4096
"""Bytes of a request's metadata, as compact UTF-8 JSON."""
MAX_METADATA_DEPTH = 32
"""Levels of objects and lists in it: some JSON readers stop at 64, and in a result it lies one level deeper."""

RFC_3339 = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""A deadline: RFC 3339's `date-time`, which always has an offset; no leap seconds, which Python's clock lacks."""

ALIASES = {"proof": "code", "infotree_type": "infotree"}
"""For each field the other name under which it is read if the field itself is absent or null."""


def _utf8(text: str) -> str:
    # JSON can say half a surrogate pair (`"\ud800"`), and Python reads it; no record could carry it on.
    if not jsontext.is_encodable(text):
        raise ValueError("has characters that UTF-8 cannot encode (half of a surrogate pair)")
    return text


def _utf8_or_none(text: str | None) -> str | None:
    return None if text is None else _utf8(text)


def _integer_as_text(value: Any) -> Any:
    # `type` and not isinstance: for Python a bool is an int, but `true` is no custom_id.
    return str(value) if type(value) is int else value


def _as_time(value: Any) -> Any:
    """Read a text as an RFC 3339 time. Anything else is returned as it came: the type check refuses it."""
    if not isinstance(value, str) or not re.fullmatch(RFC_3339, value):
        return value
    try:
        # RFC 3339 allows `z` for UTC; Python's reader does not.
        return datetime.fromisoformat(value.upper())
    except ValueError:
        return value


def _in_utc(moment: datetime) -> datetime:
    # An offset may move the first and the last day that Python knows out of its calendar.
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside of the years 1 to 9999 in UTC") from None


def _bounded_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    # Before its size: writing a deep one would fail, and with words that no sender understands.
    jsontext.check_json(metadata, max_depth=MAX_METADATA_DEPTH)
    size = len(jsontext.dumps(metadata))
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"takes {size} bytes as JSON; at most {MAX_METADATA_BYTES} are allowed")
    return metadata


class ProofRequest(BaseModel):
    """One Lean file to verify, as it stands in the value of a record of the request topic.

    Types are strict: no number in a string, no bool for a number. Null counts as not given, for every field.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, title="ProofRequest")

    custom_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CUSTOM_ID,
            description="The sender's key for the verdict: sent again after its answer, it replaces the verdict. "
            "An integer is read as its decimal digits.",
        ),
        BeforeValidator(_integer_as_text),
        AfterValidator(_utf8),
    ]
    proof: Annotated[str, Field(description="The whole Lean file, imports included."), AfterValidator(_utf8)]
    timeout: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="Seconds that Lean may run, import excluded; the worker has an upper limit. "
            "Null: the worker's default.",
        ),
    ] = None
    infotree_type: Annotated[
        InfotreeType | None, Field(description="The kind of infotree that the answer shall have; passed to the REPL.")
    ] = None
    all_tactics: Annotated[
        bool, Field(description="Whether the answer shall list every tactic; passed to the REPL.")
    ] = False
    disable_cache: Annotated[bool, Field(description="Use a fresh environment and no cached result.")] = False
    require: Annotated[
        Require | None,
        Field(description="The assurance that makes the proof verified. Null: the worker's default."),
    ] = None
    run: Annotated[
        str | None,
        Field(
            max_length=MAX_RUN,
            description="A name that tells runs of the same custom_ids apart; returned in the result, and there in "
            "the Kafka header `streamverify-run` too.",
        ),
        AfterValidator(_utf8_or_none),
    ] = None
    group: Annotated[
        str | None,
        Field(max_length=MAX_RUN, description="The name of the problem of which this is one attempt; returned."),
        AfterValidator(_utf8_or_none),
    ] = None
    first_success: Annotated[
        bool,
        Field(description="Once one of the group is verified, the others need no answer of their own."),
    ] = False
    theorem: Annotated[
        str | None,
        Field(max_length=MAX_THEOREM, description="The declaration to audit. Null: every theorem of the file."),
        AfterValidator(_utf8_or_none),
    ] = None
    statement: Annotated[
        str | None,
        Field(description="The statement to prove: a Lean file whose theorem ends in `sorry`."),
        AfterValidator(_utf8_or_none),
    ] = None
    deadline: Annotated[
        Annotated[AwareDatetime, AfterValidator(_in_utc)] | None,
        Field(description="RFC 3339 time, with its offset, after which the proof is no longer started."),
        BeforeValidator(_as_time),
    ] = None
    metadata: Annotated[
        Annotated[dict[str, Any], AfterValidator(_bounded_metadata)] | None,
        Field(description="Returned untouched in the result; at most 4 KiB as compact UTF-8, 32 levels deep."),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """Drop nulls, and read a field by its alias if the field itself is not given."""
        if not isinstance(data, dict):
            return data
        # Dropped before the types are checked, so that null is as good as nothing for every field.
        given = {name: value for name, value in data.items() if value is not None}
        for name, alias in ALIASES.items():
            if alias in given:
                given.setdefault(name, given[alias])
        return given


class ProofResult(BaseModel):
    """The verdict on one request, as it stands in the value of a record of the result topic (key: custom_id)."""

    model_config = ConfigDict(extra="ignore", title="ProofResult")

    schema_version: Annotated[
        Int64, Field(ge=1, description="Grows when a reader of the old version would misread the new one.")
    ] = SCHEMA_VERSION
    custom_id: Annotated[
        str, Field(min_length=1, max_length=MAX_CUSTOM_ID, description="The request's; an integer as its digits.")
    ]
    status: Annotated[Status, Field(description="The decision on the proof, or that there is none: `inconclusive`.")]
    reason: Annotated[
        Reason | Word,
        Field(union_mode="left_to_right", description="Why. Readers accept reasons that they do not know."),
    ]
    retriable: Annotated[bool, Field(description="Whether the same request may have another outcome if sent again.")]
    error: Annotated[
        str | None,
        Field(
            description="Null where Lean answered, whatever it said; else one sentence, and `response` is null: "
            "exactly one of the two is set."
        ),
    ] = None
    # Not `min_length`: pydantic would then refuse half a surrogate pair, and Lean's words may have one.
    summary: Annotated[str, Field(json_schema_extra={"minLength": 1}, description="One sentence for people, always.")]
    response: Annotated[
        Response | None,
        Field(description="What the REPL answered; null where the proof was not run, or not to its end."),
    ] = None
    truncated: Annotated[
        list[TruncationNote],
        Field(
            description="What is missing because the result topic would not take it: a part (`infotree`), or how many "
            "entries of a list (`messages: 8,113 of 9,000`)."
        ),
    ] = Field(default_factory=list)
    assurance: Annotated[
        Assurance | Word,
        Field(
            union_mode="left_to_right",
            description="How much a `verified` is worth: `checked`, `audited`, `replayed` or `cross_checked`, each "
            "more than the one before; else `none`.",
        ),
    ] = Assurance.NONE
    reached: Annotated[
        Assurance | Word | None,
        Field(
            union_mode="left_to_right",
            description="Of a proof that did not reach the tier that was asked for: the tier that it did reach.",
        ),
    ] = None
    checkers: Annotated[
        list[Checker],
        Field(max_length=MAX_CHECKERS, description="At `replayed` and `cross_checked`: what judged the export."),
    ] = Field(default_factory=list)
    export_sha256: Annotated[
        Sha256 | None, Field(description="SHA-256 of exactly the bytes of the export that the checkers judged.")
    ] = None
    theorems: Annotated[list[Theorem], Field(description="The theorems that the audit looked at.")] = Field(
        default_factory=list
    )
    findings: Annotated[list[Finding], Field(description="What the policy objects to.")] = Field(default_factory=list)
    timings: Annotated[Timings, Field(description="Where the time went.")] = Field(default_factory=Timings)
    attempts: Annotated[Int64, Field(description="How often the proof was run.")] = 1
    worker: Annotated[str, Field(description="The worker that answered.")] = ""
    verifier: Annotated[Verifier, Field(description="What answered.")]
    source: Annotated[Source, Field(description="The record that was answered.")]
    proof_sha256: Annotated[
        Sha256 | None, Field(description="SHA-256 of the UTF-8 of what was checked; null if nothing was.")
    ] = None
    run: Annotated[str | None, Field(max_length=MAX_RUN, description="As sent.")] = None
    group: Annotated[str | None, Field(max_length=MAX_RUN, description="As sent.")] = None
    cached: Annotated[
        Cached | None,
        Field(
            description="Set where Lean was not asked again, because identical work had its verdict already: how old "
            "that is. Then `attempts` and the times of import, run and audit are 0."
        ),
    ] = None
    superseded_by: Annotated[
        str | None,
        Field(
            max_length=MAX_CUSTOM_ID,
            description="Of a `superseded` result: the custom_id in the same group whose success ended it; null "
            "where it was cancelled.",
        ),
    ] = None
    metadata: Annotated[dict[str, Any] | None, Field(description="As sent.")] = None

    _proof: str | None = PrivateAttr(default=None)

    @property
    def proof(self) -> str | None:
        """The file that was sent, where our client knows it: of a request with `infotree_type`. It is on no topic."""
        return self._proof

    def of_proof(self, proof: str) -> Self:
        """Note the file that was sent, which `streamverify.tactics` needs. Returns itself."""
        self._proof = proof
        return self

    @model_validator(mode="after")
    def _one_of_error_and_response_and_a_summary(self) -> Self:
        """Refuse a result that a reader of the `/verify` API would misread: as an answer of Lean, or as a failure."""
        if (self.error is None) == (self.response is None):
            raise ValueError("exactly one of `error` and `response` must be set")
        if self.status is Status.VERIFIED and self.response is None:
            raise ValueError("a verified proof has a `response`")
        if not self.summary:
            raise ValueError("`summary` must not be empty")
        return self
