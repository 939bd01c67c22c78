"""The objects that a ProofResult is made of, and the types that bound its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

VerifierKind = Literal["lean", "replay", "synthetic"]
CheckerOutcome = Literal["accepted", "refused", "declined", "timeout", "out_of_memory", "crashed"]

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]
"""A name from a list that may grow. Its length is bounded, so that a result without its optional parts is, too."""
TruncationNote = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}(: [0-9,]{1,26} of [0-9,]{1,26})?$")]
"""The name of a part that is missing in a result; of a list, also how many entries are missing."""
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

MAX_CHECKERS = 8
"""Checkers that a result names at most: `core.messages.truncation` cuts none of them."""


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


def errors_in(messages: Iterable[Message]) -> list[Message]:
    """Return the errors among Lean's messages, in their order."""
    return [message for message in messages if message["severity"] == "error"]


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
    replay: Annotated[
        Seconds, Field(description="Compilation apart, export and checkers, at `replayed` and `cross_checked`.")
    ] = 0.0
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


class Source(BaseModel):
    """The record that was answered. Readers compare it to find the newest verdict of a custom_id."""

    topic: Annotated[str, Field(max_length=249, description="Its topic.")]
    partition: Annotated[Int64, Field(description="Its partition.")]
    offset: Annotated[Int64, Field(description="Its offset.")]
    timestamp: Annotated[Int64, Field(description="Its timestamp, in milliseconds since the epoch.")]


class Cached(BaseModel):
    """Says of a result that this request was not run: identical work had its verdict already."""

    age_seconds: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="Seconds from that verdict to this answer.")
    ]


class Checker(BaseModel):
    """A program that judged the exported proof without running any of it."""

    name: Annotated[
        Word,
        Field(
            description="`streamverify` (its own reading of the export), `leanchecker` (Lean's kernel, from the "
            "export), `leanchecker.olean` (from the compiled file, which is weaker: docs/audit.md), or an independent "
            "kernel such as `nanoda`."
        ),
    ]
    version: Annotated[str | None, Field(description="Its version, where it says one.")] = None
    outcome: Annotated[
        CheckerOutcome | Word,
        Field(
            union_mode="left_to_right",
            description="`accepted`; `refused`: the proof is wrong; any other says nothing about the proof.",
        ),
    ]
    seconds: Annotated[Seconds, Field(description="How long it took.")] = 0.0
