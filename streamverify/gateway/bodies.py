"""The bodies of the requests, and what a body becomes: a batch of proofs. Pure.

Types are strict, as in the messages on the topics. What has the wrong form is refused as a whole, with the field named;
a proof that is missing, or that no Lean file can be, is answered by itself: it costs the others nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from streamverify.core.errors import at
from streamverify.core.messages import jsontext
from streamverify.core.messages.assurance import Require as AnyRequire
from streamverify.core.messages.request_errors import echo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

B = TypeVar("B", bound=BaseModel)


def _text(value: str) -> str:
    if not jsontext.is_encodable(value):
        raise PydanticCustomError("string_unicode", "has half of a surrogate pair")
    return value


Text = Annotated[str, AfterValidator(_text)]
"""A text that UTF-8 can encode. pydantic lets others pass in places."""


def _whole(value: Any) -> Any:
    # For JSON Schema 88.0 is an integer, too. A larger one may be what orjson makes of an integer beyond 64 bits.
    return int(value) if type(value) is float and value.is_integer() and abs(value) < 2**53 else value


_Integer = Annotated[int, Field(ge=-(2**63), lt=2**64), BeforeValidator(_whole)]
"""The integers that orjson reads and writes exactly."""
CallersId = Annotated[Text | _Integer, Field(description="Comes back unchanged. Several proofs may have the same.")]
Infotree = Annotated[
    Literal["full", "tactics", "original", "substantive"] | None,
    Field(description="The kind of infotree that the answer shall have."),
]
Seconds = Annotated[
    float, Field(gt=0, allow_inf_nan=False, description="Seconds that Lean may run, after any import.", examples=[60])
]
Require = Annotated[
    AnyRequire | None,
    Field(description="The assurance that makes a proof valid. Null: what the gateway asks for (GATEWAY_REQUIRE)."),
]
Environment = Annotated[
    Text | None, Field(description="One of `GET /v1/environments`. Null: the gateway's own topics.", examples=[None])
]
Code = Annotated[
    Text | None, Field(description="The whole Lean file, imports included. Without one: `invalid_request`.")
]

Statement = Annotated[Text | None, Field(description="From `audited` on: what was to be proved (docs/audit.md).")]
Group = Annotated[Text | None, Field(max_length=128, description="The problem of which this is one attempt.")]
FirstSuccess = Annotated[
    bool, Field(description="True: once one of a group is verified, the others need no answer (docs/pass-at-k.md).")
]
Run = Annotated[Text | None, Field(max_length=128, description="Tells runs of the same ids apart, on the topics.")]


class Body(BaseModel):
    """The common part of all bodies: strict types; unknown fields are ignored, as they are on the topics."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Snippet(Body):
    """A proof of a check."""

    id: CallersId
    code: Code = None
    statement: Statement = None
    theorem: Annotated[Text | None, Field(max_length=512, description="From `audited` on: the theorem to audit.")] = (
        None
    )
    group: Group = None


class CheckBody(Body):
    """The body of `POST /api/check`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "snippets": [{"id": "one", "code": "theorem t : 1 + 1 = 2 := rfl"}],
                "timeout": 60,
                "debug": False,
                "reuse": True,
                "infotree": None,
            }
        }
    )

    snippets: Annotated[list[Snippet], Field(min_length=1, description="The proofs.")]
    timeout: Seconds = 30.0
    reuse: Annotated[bool, Field(description="False: run each proof in a fresh process.")] = True
    debug: Annotated[bool, Field(description="Name the worker and the time of each step in `diagnostics`.")] = False
    infotree: Infotree = None
    require: Require = None
    environment: Environment = None
    run: Run = None
    first_success: FirstSuccess = False


class VerifyCode(Body):
    """A proof of a batch for `/verify`."""

    custom_id: CallersId
    proof: Code = None
    code: Annotated[Text | None, Field(description="Read where there is no `proof`.")] = None
    statement: Statement = None
    group: Group = None


class VerifyBody(Body):
    """The body of `POST /verify` and `/one_pass_verify_batch`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "codes": [{"custom_id": "one", "proof": "theorem t : 1 + 1 = 2 := rfl"}],
                "timeout": 300,
                "infotree_type": None,
                "disable_cache": False,
            }
        }
    )

    codes: Annotated[list[VerifyCode], Field(description="The proofs.")]
    timeout: Seconds = 300.0
    infotree_type: Infotree = None
    disable_cache: Annotated[bool, Field(description="True: run each proof in a fresh process.")] = False
    require: Require = None
    environment: Environment = None
    run: Run = None
    first_success: FirstSuccess = False


class BodyError(Exception):
    """The body cannot be read. `field` names the place, "" where that is the body itself; `status` is HTTP's."""

    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.status = status
        self.field = field


def read_body(text: bytes, form: type[B]) -> B:
    """Read a body.

    Raises:
        BodyError: It is not JSON, or not of this form.
    """
    try:
        return form.model_validate(_loads(text))
    except ValidationError as error:
        # Not all of them: ten thousand proofs may all have the same mistake.
        first = error.errors(include_url=False)[0]
        raise BodyError(422, place(first["loc"]), _sentence(first)) from None


def place(loc: tuple[int | str, ...]) -> str:
    """Name a place in a body: `snippets[3].code`."""
    return "".join(_steps(loc)).removeprefix(".")


def _steps(loc: tuple[int | str, ...]) -> Iterator[str]:
    for step in loc:
        if isinstance(step, int):
            yield f"[{step}]"
        elif step not in {
            "int",
            "str",
            "function-after[_text(), str]",
        }:  # the two kinds that an id may have are no fields
            yield f".{step}"


def _loads(text: bytes) -> Any:
    """Read JSON; a proof with half of a surrogate pair, which is no text, becomes null."""
    if not text:
        raise BodyError(400, "", "the body is empty: it must be a JSON object")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        why = f"the body is not JSON: {error.msg} ({at(error.lineno, error.colno)})"
    try:
        data = jsontext.loads_leniently(text)
    except ValueError:
        raise BodyError(400, "", why) from None
    # What is strict JSON but for such characters; NaN and the like are refused by the fields that have them.
    for name in ("snippets", "codes"):
        items = data.get(name) if isinstance(data, dict) else None
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                for key in ("code", "proof"):
                    if isinstance(value := item.get(key), str) and not jsontext.is_encodable(value):
                        item[key] = None
    return data


def _sentence(error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "too_short" | "too_long":
            # Only lists have a minimum, of one; only texts have a maximum.
            most = error["ctx"].get("max_length")
            return "must not be empty" if most is None else f"has more than {most} characters"
        case "model_type" | "model_attributes_type":
            return f"must be an object, not {echo(error['input'])}"
        case "string_unicode":
            return "has characters that UTF-8 cannot encode (half of a surrogate pair)"
        case _ if "str" in str(error["loc"][-1]):
            return f"must be a string or an integer of 64 bits, not {echo(error['input'])}"
        case _:
            words = error["msg"].replace("Input should be", "must be")
            # A number that is out of bounds is told; a text may be a whole proof, of which `echo` shows the beginning.
            return f"{words}, not {echo(error['input'])}"
