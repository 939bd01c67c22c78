"""The messages on the topics: ProofRequest, ProofResult and the reasons that a result can have.

`streamverify schema` makes their JSON Schemas, in the folder `schemas`. How bytes become a request, and how a result
becomes bytes, is decided in `codec`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, NotRequired, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
    with_config,
)
from typing_extensions import TypedDict

from streamverify.core.messages import jsontext

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 3
"""Version of ProofResult. It grows when a reader that knows the old one would misread the new one."""


class Status(StrEnum):
    """What is known about the proof."""

    VERIFIED = "verified"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why the status is what it is. Readers must accept reasons that they do not know."""

    OK = "ok"
    LEAN_ERROR = "lean_error"
    SORRY = "sorry"
    HEADER_ERROR = "header_error"
    POLICY = "policy"
    AXIOM = "axiom"
    NO_THEOREM = "no_theorem"
    STATEMENT_MISMATCH = "statement_mismatch"
    PROTOCOL_VIOLATION = "protocol_violation"
    INVALID_REQUEST = "invalid_request"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    EXPIRED = "expired"
    UNSUPPORTED = "unsupported"
    SUPERSEDED = "superseded"
    IMPORT_TIMEOUT = "import_timeout"
    IMPORT_FAILED = "import_failed"
    OUT_OF_MEMORY = "out_of_memory"
    REPL_CRASH = "repl_crash"
    NO_RECORDING = "no_recording"
    WORKER_ERROR = "worker_error"


class Outcome(NamedTuple):
    """The status that belongs to a reason, and whether the same request may be sent again."""

    status: Status
    retriable: bool


def _outcomes() -> dict[Reason, Outcome]:
    rejected = (
        "lean_error sorry header_error policy axiom no_theorem statement_mismatch protocol_violation invalid_request"
    )
    final = "timeout too_large expired unsupported superseded"
    retriable = "import_timeout import_failed out_of_memory repl_crash no_recording worker_error"
    return {
        Reason.OK: Outcome(Status.VERIFIED, retriable=False),
        **{Reason(word): Outcome(Status.REJECTED, retriable=False) for word in rejected.split()},
        **{Reason(word): Outcome(Status.INCONCLUSIVE, retriable=False) for word in final.split()},
        **{Reason(word): Outcome(Status.INCONCLUSIVE, retriable=True) for word in retriable.split()},
    }


OUTCOMES: Mapping[Reason, Outcome] = _outcomes()
"""The outcome of each reason. A failure of the infrastructure is never a rejection."""

LEAN_ANSWERED = frozenset(
    {
        Reason.OK,
        Reason.LEAN_ERROR,
        Reason.SORRY,
        Reason.HEADER_ERROR,
        Reason.AXIOM,
        Reason.NO_THEOREM,
        Reason.STATEMENT_MISMATCH,
    }
)
"""The reasons that rest on an answer of Lean, which the result then has as its `response`.

A `header_error` only where Lean itself rejected an import; the worker finds other faults of a header without Lean. What
came back before a time-out or a crash is no answer: whoever reads messages without an error as "valid" must not see it.
"""


class Assurance(StrEnum):
    """How much the status `verified` is worth."""

    NONE = "none"
    CHECKED = "checked"
    AUDITED = "audited"


_AT_LEAST = {
    Assurance.CHECKED: frozenset({"checked", "audited", "replayed", "cross_checked"}),
    Assurance.AUDITED: frozenset({"audited", "replayed", "cross_checked"}),
}


def is_enough(assurance: str, asked: Assurance) -> bool:
    """Tell whether what a result says of its worth is enough for what was asked for, `checked` or `audited`."""
    return assurance in _AT_LEAST[asked]


InfotreeType = Literal["full", "tactics", "original", "substantive"]
Require = Literal["checked", "audited"]
VerifierKind = Literal["lean", "replay", "synthetic"]

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]
"""A name from a list that may grow. Its length is bounded, so that a result without its optional parts is, too."""
TruncationNote = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}(: [0-9,]{1,26} of [0-9,]{1,26})?$")]
"""The name of a part that is missing in a result; of a list, also how many entries are missing."""
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]

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
        return datetime.fromisoformat(value.upper())
    except ValueError:
        return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside of the years 1 to 9999 in UTC") from None


def _bounded_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
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
        given = {name: value for name, value in data.items() if value is not None}
        for name, alias in ALIASES.items():
            if alias in given:
                given.setdefault(name, given[alias])
        return given


class Position(TypedDict):
    """A position in the file as sent."""

    line: Annotated[int, Field(description="From 1.")]
    column: Annotated[int, Field(description="In code points from 0, as Lean counts.")]


@with_config(ConfigDict(extra="allow"))  # fields that a newer REPL adds are passed on
class Message(TypedDict):
    """A message of Lean."""

    severity: Annotated[str, Field(description="error, warning, info or trace.")]
    pos: Annotated[Position, Field(description="Where it begins.")]
    endPos: Annotated[NotRequired[Position | None], Field(description="Where it ends.")]
    data: Annotated[str, Field(description="What Lean says.")]
    count: Annotated[
        NotRequired[int],
        Field(description="In a result that was cut: messages that said the same, at other places too."),
    ]


class Response(BaseModel):
    """The answer of the REPL, with positions in the whole file as sent."""

    model_config = ConfigDict(extra="allow", title="Response")

    messages: Annotated[list[Message], Field(description="Lean's messages.")] = Field(default_factory=list)
    sorries: Annotated[list[dict[str, Any]], Field(description="Each `sorry` with its position and goal.")] = Field(
        default_factory=list
    )
    tactics: Annotated[list[dict[str, Any]], Field(description="With all_tactics: each tactic with its goals.")] = (
        Field(default_factory=list)
    )
    infotree: Annotated[Any, Field(description="With infotree_type: the infotree.")] = None
    env: Annotated[Int64 | None, Field(description="The REPL's number for the environment after the file.")] = None
    time: Annotated[Seconds, Field(description="Seconds that Lean ran.")] = 0.0


class Theorem(BaseModel):
    """A theorem of the file, as the audit found it."""

    name: Annotated[str, Field(description="Its full name.")]
    type: Annotated[str | None, Field(description="Its type as Lean prints it.")] = None
    axioms: Annotated[list[str], Field(description="The axioms that its proof uses.")] = Field(default_factory=list)


class Finding(BaseModel):
    """A place in a proof that the policy objects to."""

    rule: Annotated[str, Field(description="The rule's name.")]
    line: Annotated[Int64, Field(description="From 1, in the file as sent.")]
    column: Annotated[Int64, Field(description="In code points from 0.")]
    excerpt: Annotated[str, Field(description="What stands there.")]
    count: Annotated[Int64, Field(description="Findings of this rule and excerpt; above 1 only in a cut result.")] = 1


class Timings(BaseModel):
    """The time that each step took, in seconds."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    queued: Annotated[Seconds, Field(description="From the record's arrival in the worker to its turn.")] = 0.0
    import_: Annotated[Seconds, Field(alias="import", description="0 where the header was warm.")] = 0.0
    run: Annotated[Seconds, Field(description="Lean's time for the body.")] = 0.0
    audit: Annotated[Seconds, Field(description="The audit's time.")] = 0.0
    total: Annotated[Seconds, Field(description="From the record's arrival to the verdict.")] = 0.0


class Verifier(BaseModel):
    """The program that answered. Only `kind` = `lean` gives verdicts of Lean."""

    kind: Annotated[
        VerifierKind | Word,
        Field(
            union_mode="left_to_right",
            description="`lean`, or a stand-in: `replay` (recordings), `synthetic` (invented).",
        ),
    ]
    sandbox: Annotated[str, Field(description="The sandbox that confined Lean: `bwrap` or `none`.")] = "none"
    lean_version: Annotated[str | None, Field(description="Lean's version.")] = None
    repl_version: Annotated[str | None, Field(description="The REPL's version.")] = None
    mathlib_version: Annotated[str | None, Field(description="Mathlib's version.")] = None
    policy_version: Annotated[str | None, Field(description="The version of the audit's policy.")] = None


class Cached(BaseModel):
    """Says of a result that this request was not run: identical work had its verdict already."""

    age_seconds: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="Seconds from that verdict to this answer.")
    ]


class Source(BaseModel):
    """The record that was answered. Readers compare it to find the newest verdict of a custom_id."""

    topic: Annotated[str, Field(max_length=249, description="Its topic.")]
    partition: Annotated[Int64, Field(description="Its partition.")]
    offset: Annotated[Int64, Field(description="Its offset.")]
    timestamp: Annotated[Int64, Field(description="Its timestamp, in milliseconds since the epoch.")]


class ProofResult(BaseModel):
    """The verdict on one request, as it stands in the value of a record of the result topic (key: custom_id)."""

    model_config = ConfigDict(extra="ignore", title="ProofResult")

    schema_version: Annotated[
        Int64, Field(ge=1, description="Grows when a reader of the old version would misread the new one.")
    ] = SCHEMA_VERSION
    custom_id: Annotated[
        str, Field(min_length=1, max_length=MAX_CUSTOM_ID, description="The request's; an integer as its digits.")
    ]
    status: Annotated[Status, Field(description="What is known about the proof.")]
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
            description="How much a `verified` is worth: `checked` or `audited`; else `none`.",
        ),
    ] = Assurance.NONE
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
        str | None,
        Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the UTF-8 of what was checked; null if nothing was."),
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
            description="Of a `superseded` result: the custom_id in the same group whose success ended it.",
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
