"""A result on its way to bytes: in pieces, so that what does not fit can be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from streamverify.core import jsontext
from streamverify.core.models import Timings

if TYPE_CHECKING:
    from streamverify.core.models import ProofResult

PARTS = (
    "infotree",
    "tactics",
    "other",
    "theorem_types",
    "sorries",
    "messages",
    "findings",
    "theorems",
    "headers",
    "metadata",
)
"""What `ProofResult.truncated` can name, in the order in which it is left out of a result that is too large.

`other` is what the REPL answered beyond the fields that we know; `headers` are the Kafka headers copied from the
request.
"""

_MAX_ERROR = 500
_MAX_WORKER = 128
_MAX_VERSION = 64
_MAX_TRUNCATED = 16


def encode_whole(result: ProofResult) -> bytes:
    """All of it, the ordinary way.

    Raises:
        TypeError: Something in it is beyond orjson: nested too deeply, a lone surrogate, an integer beyond 64 bits.
    """
    return orjson.dumps(_fields(result), default=_plain)


class Draft:
    """A result whose parts can be left out one after the other."""

    def __init__(self, result: ProofResult) -> None:
        self.left_out: set[str] = set()
        self._fields = _fields(result)
        self._parts = {
            part: places
            for part, places in _places(result, self._fields).items()
            if any(holder[key] not in (None, [], {}) for holder, key, _ in places)
        }

    def write_parts(self) -> None:
        """Turn each part into JSON, once and for all, and leave out what cannot be."""
        for part, places in list(self._parts.items()):
            try:
                for holder, key, _ in places:
                    holder[key] = orjson.Fragment(jsontext.dumps(holder[key]))
            except ValueError:
                self.leave_out(part)

    def leave_out(self, part: str) -> None:
        """Leave a part out, and name it, if the result has it."""
        for holder, key, without in self._parts.pop(part, ()):
            if without is _NO_KEY:
                del holder[key]
            else:
                holder[key] = without
            self.name(part)

    def name(self, part: str) -> None:
        """Say in `truncated` that a part was left out."""
        self.left_out.add(part)
        if part not in self._fields["truncated"]:
            self._fields["truncated"].append(part)

    def encode(self) -> bytes:
        """The result without what was left out."""
        return orjson.dumps(self._fields, default=_plain)


_Place = tuple[dict[str, Any], str, Any]
"""Where something stands: an object, the key in it, and what stands there once it is left out."""

_NO_KEY = object()


def _places(result: ProofResult, fields: dict[str, Any]) -> dict[str, list[_Place]]:
    """The place of every part but the headers, in `fields`, which gets objects of its own to be changed."""
    fields["theorems"] = [_plain(theorem) for theorem in result.theorems]
    fields["findings"] = [_plain(finding) for finding in result.findings]
    places: dict[str, list[_Place]] = {
        "findings": [(fields, "findings", [])],
        "theorems": [(fields, "theorems", [])],
        "metadata": [(fields, "metadata", None)],
    }
    if any(theorem.type is not None for theorem in result.theorems):
        untyped = [{**theorem, "type": None} for theorem in fields["theorems"]]
        places["theorem_types"] = [(fields, "theorems", orjson.Fragment(jsontext.dumps(untyped)))]
    if result.response is not None:
        response = fields["response"] = _plain(result.response)
        places |= {part: [(response, part, [])] for part in ("tactics", "sorries", "messages")}
        places["infotree"] = [(response, "infotree", None)]
        # names too: they may be as long as they like
        places["other"] = [(response, name, _NO_KEY) for name in result.response.model_extra or ()]
    return places


def _fields(result: ProofResult) -> dict[str, Any]:
    """The result's fields, each that is never left out within its bounds."""
    return {
        **result.__dict__,
        "error": None if result.error is None else jsontext.cut(result.error, _MAX_ERROR),
        "truncated": list(dict.fromkeys(result.truncated))[:_MAX_TRUNCATED],
        "worker": jsontext.cut(result.worker, _MAX_WORKER),
        "verifier": {
            name: None if text is None else jsontext.cut(text, _MAX_VERSION)
            for name, text in result.verifier.__dict__.items()
        },
    }


def _plain(value: Any) -> dict[str, Any]:
    """A model of ours for orjson: `model_dump` would walk into infotrees, and stops at 255 levels."""
    if isinstance(value, Timings):
        return {("import" if name == "import_" else name): seconds for name, seconds in value.__dict__.items()}
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.model_extra or {})}
    raise TypeError
