"""A verdict as the content of a cache's entry, and back. Pure.

JSON, read by the same models that read results: nothing that is read can run code. What would not come back as it was
is not written at all: integers beyond 64 bits, half surrogate pairs, infotrees that are too deep.
"""

from __future__ import annotations

import zlib
from dataclasses import fields
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from streamverify.core.cache.seal import MAX_ENTRY
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Assurance, Checker, Finding, Reason, Response, Theorem

MAX_CONTENT = 16 << 20
"""Bytes of the JSON at most."""
_MAX_BYTES = MAX_ENTRY - 64
_SMALL = 512
"""Bytes up to which compression is not worth its time."""
_PLAIN, _PACKED = b"p", b"z"

_KEPT: dict[str, TypeAdapter[Any]] = {
    "reason": TypeAdapter(Reason),
    "summary": TypeAdapter(str),
    "response": TypeAdapter(Response | None),
    "assurance": TypeAdapter(Assurance),
    "theorems": TypeAdapter(list[Theorem]),
    "findings": TypeAdapter(list[Finding]),
    "checkers": TypeAdapter(list[Checker]),
    "export_sha256": TypeAdapter(str | None),
    "reached": TypeAdapter(Assurance | None),
}
OWN = frozenset({"truncated", "timings", "attempts", "final", "cached_age", "superseded_by"})
"""The fields of a verdict that are about one run, or that no verdict which is kept has."""


def encode(verdict: Verdict) -> bytes | None:
    """Write what identical work has in common; None where it is too large, or would not come back as it was."""
    kept = {name: getattr(verdict, name) for name in _KEPT}
    try:
        text = orjson.dumps(kept, default=_plain)
    except TypeError:
        return None
    if len(text) > MAX_CONTENT:
        return None
    # The fastest level: it is to cost a proof next to nothing, not to save the last byte.
    content = _PLAIN + text if len(text) <= _SMALL else _PACKED + zlib.compress(text, 1)
    return content if len(content) <= _MAX_BYTES else None


def decode(content: bytes) -> Verdict | None:
    """Read a verdict back; None if it cannot be read, as another version of this program may have written it."""
    try:
        if content[:1] == _PACKED:
            # Bounded: a small entry of somebody else could unpack to gigabytes.
            text = zlib.decompressobj().decompress(content[1:], MAX_CONTENT + 1)
        elif content[:1] == _PLAIN:
            text = content[1:]
        else:
            return None
        found = orjson.loads(text)
        if not isinstance(found, dict) or found.keys() != _KEPT.keys():
            return None
        return Verdict(**{name: adapter.validate_python(found[name]) for name, adapter in _KEPT.items()})
    except (ValueError, zlib.error, ValidationError):
        return None


def _plain(value: Any) -> dict[str, Any]:
    """Give orjson a model of ours as a dict: `model_dump` would walk into infotrees."""
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.model_extra or {})}
    raise TypeError


def forgotten_fields() -> frozenset[str]:
    """Name the fields of a verdict in neither `_KEPT` nor `OWN`: a test wants each new one to be in either."""
    return frozenset(each.name for each in fields(Verdict)) - _KEPT.keys() - OWN
