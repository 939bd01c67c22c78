"""The endpoint `verify_proof` of AXLE: its body, and its answers. Pure.

Its `formal_statement` is our `statement`, its `content` our `proof`, and the proof is audited: `okay` says that the
theorems of the statement are proved. An option that would change what is checked and that we do not have is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from streamverify.core.errors import HeaderError
from streamverify.core.messages.models import Reason, Status
from streamverify.core.syntax.header import parse_header
from streamverify.gateway.bodies import Body, BodyError, Seconds, Text
from streamverify.gateway.kimina import Verdict  # noqa: TC001 - pydantic reads the annotations
from streamverify.gateway.outcome import WORD

if TYPE_CHECKING:
    from streamverify.core.messages.models import Message
    from streamverify.gateway.outcome import ProofOutcome

_LEANS_OWN = frozenset({Reason.LEAN_ERROR, Reason.HEADER_ERROR})
"""The rejections for which AXLE has Lean's messages, and nothing of its own."""
_ERROR_TYPES: dict[str, str] = {
    Reason.TIMEOUT: "LeanTimeout",
    Reason.OUT_OF_MEMORY: "LeanResourceExceeded",
    Reason.TOO_LARGE: "LeanResourceExceeded",
}
"""AXLE's names for reasons why Lean did not come to an end."""


def _only(**schema: Any) -> Any:
    """Make a field that must have its default. The document says so; `check_options` says it in words."""
    return Field(json_schema_extra=schema, description="Not supported: must be as by default.")


class ProofBody(Body):
    """The body of `POST /api/v1/verify_proof`: JSON, whatever its Content-Type is."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "formal_statement": "theorem t : 1 + 1 = 2 := by sorry",
                "content": "theorem t : 1 + 1 = 2 := rfl",
                "environment": "default",
                "timeout_seconds": 120,
            }
        }
    )

    formal_statement: Annotated[Text, Field(description="What is to be proved: a file whose theorems end in `sorry`.")]
    content: Annotated[Text, Field(description="The proof: a whole Lean file.")]
    environment: Annotated[Text, Field(description="One of `GET /v1/environments`.")]
    timeout_seconds: Seconds = 120.0
    ignore_imports: Annotated[
        bool,
        Field(description="True: the imports of the environment replace those of both files, if it has a header."),
    ] = True
    use_def_eq: Annotated[
        bool,
        Field(description="Types are compared as Lean prints them in full, which is the stricter way, also at true."),
    ] = True
    permitted_sorries: Annotated[list[str], _only(maxItems=0)] = Field(default_factory=list)
    mathlib_options: Annotated[bool, _only(const=False)] = False
    run_env_linters: Annotated[bool, _only(const=False)] = False
    global_options: Annotated[dict[str, Any], _only(maxProperties=0)] = Field(default_factory=dict)
    verify_negation: Annotated[bool, _only(const=False)] = False
    allow_statement_axioms: Annotated[bool, _only(const=False)] = False
    allow_bv_decide: Annotated[bool, _only(const=False)] = False


_REFUSED = {
    "permitted_sorries": "a proof is verified as a whole, without `sorry`",
    "mathlib_options": "options are part of the file: write `set_option` there",
    "run_env_linters": "no linters are run",
    "global_options": "options are part of the file: write `set_option` there",
    "verify_negation": "send the negation as a statement of its own",
    "allow_statement_axioms": "only Lean's own three axioms are accepted",
    "allow_bv_decide": "only Lean's own three axioms are accepted",
}


class Messages(BaseModel):
    """Messages by their severity, each a line as a compiler prints it."""

    errors: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    infos: list[str] = Field(default_factory=list)


class ProofAnswer(BaseModel):
    """The answer to `verify_proof`. Where nothing is known of the proof it has `error`, or `user_error`, alone."""

    okay: bool | None = None
    content: str | None = None
    lean_messages: Messages | None = None
    tool_messages: Messages | None = None
    failed_declarations: list[str] | None = None
    timings: dict[str, int] | None = None
    error: str | None = None
    error_type: str | None = None
    user_error: str | None = None
    streamverify: Verdict | None = None


def check_options(body: ProofBody) -> None:
    """Refuse what this gateway cannot do.

    Raises:
        BodyError: An option changes what is checked, and there is no such thing here.
    """
    for name, why in _REFUSED.items():
        if getattr(body, name):
            raise BodyError(400, name, f"is not supported here: {why}")


def with_header(text: str, header: str) -> str:
    """Return the file with this header instead of its own. One whose header is no Lean stays as it is: it is rejected.

    Args:
        text: A Lean file.
        header: A canonical header: it ends with a newline.
    """
    try:
        rest = text[parse_header(text).last :]
    except HeaderError:
        return text
    return header + rest.removeprefix("\n")


def proof_answer(content: str, outcome: ProofOutcome) -> dict[str, Any]:
    """Make the answer to `POST /api/v1/verify_proof` about the text that was checked."""
    verdict = outcome.fields()
    if outcome.status is Status.INCONCLUSIVE:
        named = {"error_type": _ERROR_TYPES[outcome.reason]} if outcome.reason in _ERROR_TYPES else {}
        return {"error": outcome.error, **named, "streamverify": verdict}
    if outcome.reason == Reason.INVALID_REQUEST:
        return {"user_error": f"{WORD}: {outcome.sentence}", "streamverify": verdict}
    # AXLE keeps apart what Lean says and what its own checks say; ours begin with our name.
    lean, tool = Messages(), Messages()
    for message in outcome.messages:
        lists = tool if message["data"].startswith(f"{WORD}: ") else lean
        kind = {"error": lists.errors, "warning": lists.warnings}.get(message["severity"], lists.infos)
        kind.append(_line(message))
    if not outcome.verified and outcome.reason not in _LEANS_OWN and not tool.errors:
        tool.errors.append(f"{WORD}: {outcome.reason}: {outcome.sentence}")
    result = outcome.result
    names = [] if result is None or outcome.verified else [theorem.name for theorem in result.theorems]
    return {
        "okay": outcome.verified,
        "content": content,
        "lean_messages": lean.model_dump(),
        "tool_messages": tool.model_dump(),
        "failed_declarations": names,
        "timings": {} if result is None else _milliseconds(result.timings.model_dump()),
        "streamverify": verdict,
    }


def _milliseconds(timings: dict[str, float]) -> dict[str, int]:
    return {f"{name}_ms": round(seconds * 1000) for name, seconds in timings.items()}


def _line(message: Message) -> str:
    """Print a message as AXLE does: `-:3:6-3:11: warning: …`."""
    if message["data"].startswith(f"{WORD}: "):
        return message["data"]
    start, end = message["pos"], message.get("endPos")
    until = f"-{end['line']}:{end['column']}" if end else ""
    return f"-:{start['line']}:{start['column']}{until}: {message['severity']}: {message['data']}\n"
