"""Turns bytes into a ProofRequest, a ProofResult into bytes, and both back for clients.

orjson does nearly all of it. Three modules do the rest, and are called from here alone where the messages are theirs:

- `jsontext`, where orjson refuses or rounds: integers beyond 64 bits (ids of `uuid4().int`, seeds), infotrees of more
  than 254 levels, half surrogate pairs in what Lean says;
- `truncation`, where a result is too large for its topic: `encode_result` says in which order the parts go;
- `request_errors`, where a request is wrong: one sentence for its sender, which names the field first.

The docstring of `decode_request` says what a request may look like. This module knows of Kafka only that a record has a
key, Kafka headers and a largest size.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import ValidationError

from streamverify.core.errors import (
    InvalidRequest,
    RefusedRequest,
    RequestTooLarge,
    UndecodableRequest,
    UndecodableResult,
    at,
)
from streamverify.core.messages import jsontext
from streamverify.core.messages.models import (
    LEAN_ANSWERED,
    MAX_METADATA_DEPTH,
    SCHEMA_VERSION,
    ProofRequest,
    ProofResult,
    Status,
)
from streamverify.core.messages.request_errors import echo, request_error
from streamverify.core.messages.truncation import PARTS, TruncatedResult, encode_uncut

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORD_RESERVE = 1024
"""Bytes of a topic's limit that no result uses: for Kafka's framing of a batch and a record (about 100 bytes), and for
the few Kafka headers of our own that stay when the copied ones are dropped."""

MIN_LIMIT = 24 * 1024
"""From this limit on every result fits once all `PARTS` are left out. The rest takes at most 22 KB: with the longest
custom_id, in the key and in the value, and with control characters, which JSON escapes, wherever there can be any."""

_BOM = b"\xef\xbb\xbf"
_STATUSES = frozenset[str](Status)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits of a worker for requests. `max_proof_bytes` counts the UTF-8 of a proof with its statement."""

    max_proof_bytes: int
    words: str = "this worker takes at most {0:,}: its MAX_PROOF_BYTES raises that"
    """Whose limit it is and what raises it; `{0}` is the number."""


ANY_SIZE: Final = RequestLimits(max_proof_bytes=1 << 62)
"""For whoever does not decide how large a proof may be."""


@dataclass(frozen=True, slots=True)
class EncodedResult:
    """The value of a result's record.

    `kafka_headers_dropped` says that there is no room for the Kafka headers that were copied from the request.
    """

    value: bytes
    kafka_headers_dropped: bool


def decode_request(value: bytes | None, *, limits: RequestLimits) -> ProofRequest:
    r"""Read the value of a record of the request topic.

    - Unknown fields are ignored. Of duplicate keys the last counts. A UTF-8 byte-order mark is skipped.
    - Null counts as not given, for every field. So `code` is read where `proof` is absent or null, `infotree` where
      `infotree_type` is; next to a field that is given, its alias is ignored, whatever it holds.
    - Types are strict: `"60"` and `true` are no time-out. An integer `custom_id` becomes its decimal digits; `true` and
      `1.0` are no integers. Integers beyond 64 bits stay exact, there and in `metadata`.
    - A deadline is RFC 3339 with its offset, without leap seconds, and is kept in UTC.
    - What is no strict JSON is refused: NaN, numbers beyond a double's range, half surrogate pairs (`\ud800`), bytes
      that are not UTF-8, control characters in strings, more than 1,024 levels. Where a lenient reader can still make
      out a valid `custom_id`, that is an InvalidRequest, so that the sender gets an answer.
    - `proof` may be empty: Lean says what it thinks of it.

    Args:
        value: The record's value; None for a tombstone.
        limits: What this worker takes.

    Raises:
        UndecodableRequest: No valid custom_id can be read: the record becomes a dead letter.
        InvalidRequest: There is a valid custom_id, and something else is wrong.
        RequestTooLarge: Only the size of `proof` and `statement` is wrong.
    """
    if value is None:
        raise UndecodableRequest("the record has no value (a tombstone)")
    text = value.removeprefix(_BOM)
    if not text:
        raise UndecodableRequest("the value is empty")
    data = _load_object(text)
    try:
        request = ProofRequest.model_validate(data)
    except ValidationError as error:
        raise request_error(data, error) from None
    # JSON never takes fewer bytes than the strings in it, so most requests need not be measured.
    if len(text) > limits.max_proof_bytes:
        size = len(request.proof.encode()) + len((request.statement or "").encode())
        if size > limits.max_proof_bytes:
            raise RequestTooLarge(
                f"the proof{' and its statement have' if request.statement else ' has'} {size:,} bytes, and "
                + limits.words.format(limits.max_proof_bytes),
                custom_id=request.custom_id,
                metadata=request.metadata,
                run=request.run,
                group=request.group,
            )
    return request


def encode_request(request: ProofRequest) -> bytes:
    """Write the value of a request's record. Fields that have their default are left out."""
    fields = {name: item for name, item in request.__dict__.items() if item is not None and item is not False}
    if request.deadline is not None:
        fields["deadline"] = request.deadline.isoformat()
    # Not orjson alone: metadata may have integers of any length, which must come back as they were sent.
    return jsontext.dumps(fields)


def _load_object(text: bytes) -> dict[str, Any]:
    """Read a JSON object strictly, with every integer of `custom_id` and `metadata` as it was sent."""
    data: dict[str, Any]
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _explain_unreadable(text, error) from None
    if not isinstance(data, dict):
        raise UndecodableRequest(f"the value is {echo(data)}, not a JSON object")
    # orjson reads integers beyond 64 bits as floats. They must come back as they were sent, so we read them again.
    if jsontext.has_rounded_integer([data.get("custom_id"), data.get("metadata")], MAX_METADATA_DEPTH + 1):
        try:
            data = jsontext.loads_leniently(text)
        except ValueError as error:
            raise UndecodableRequest(f"the value is not JSON that can be read: {error}") from None
    return data


def _explain_unreadable(text: bytes, error: orjson.JSONDecodeError) -> UndecodableRequest | RefusedRequest:
    """Make the error for a value that is no strict JSON; it has the custom_id if a lenient reader finds a valid one."""
    why = f"the value is not valid JSON: {error.msg} ({at(error.lineno, error.colno)})"
    # Whoever sent NaN, a control character or half a surrogate pair under a readable custom_id can still be answered.
    try:
        data = jsontext.loads_leniently(text)
    except ValueError:
        return UndecodableRequest(why)
    if not isinstance(data, dict):
        return UndecodableRequest(why)
    try:
        request = ProofRequest.model_validate(data)
    except ValidationError as invalid:
        return request_error(data, invalid)
    return InvalidRequest(
        why, custom_id=request.custom_id, metadata=request.metadata, run=request.run, group=request.group
    )


def record_overhead(key: bytes, kafka_headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Count the bytes of a record besides its value, which `encode_result` must know."""
    # Kafka spends at most five bytes on each of the two lengths of a header.
    return len(key) + sum(len(name.encode()) + len(value or b"") + 10 for name, value in kafka_headers)


def encode_result(result: ProofResult, *, limit: int, overhead: int) -> EncodedResult:
    """Write the value of a result's record, cut until the record fits.

    The parts are cut in the order of `PARTS`, and each is named in `truncated`. A part is also cut if it cannot be
    written as JSON, or not be read again (an infotree of more than about 900 levels). Lists lose equal entries first
    (the one that stays has their `count`), then entries from the end; the first error of a rejection always stays.
    `error`, `summary`, the worker's name and the versions are always cut to fixed lengths, so from `MIN_LIMIT` on
    every result fits. A `response` stays one, however little is left of it: exactly one of it and `error` is set.

    Args:
        result: The result to write.
        limit: The result topic's `max.message.bytes`.
        overhead: Bytes of the record's key and of the Kafka headers copied from the request (`record_overhead`).

    Returns:
        The value, and whether the copied Kafka headers have to be left out.
    """
    room = limit - RECORD_RESERVE
    try:
        value = encode_uncut(result)
    except TypeError:
        # Something in it is beyond orjson: write it part by part, each as well as it can be written.
        return _encode_cut(result, room, overhead)
    if len(value) + overhead <= room:
        return EncodedResult(value, kafka_headers_dropped=False)
    return _encode_cut(result, room, overhead)


def _encode_cut(result: ProofResult, room: int, overhead: int) -> EncodedResult:
    """Leave out part after part, and of the last one no more than it takes, until the record has room."""
    key = len(result.custom_id.encode())
    cut_result = TruncatedResult(result)
    cut_result.write_parts()
    value = cut_result.encode()
    for part in PARTS:
        # Measured anew after each part: naming a part in `truncated` costs bytes, too.
        excess = len(value) + overhead - room
        if excess <= 0:
            break
        if part != "headers":
            cut_result.cut(part, excess)
        elif overhead > key:
            # These are not in the value: dropping them makes the record smaller, and the value a little larger.
            cut_result.name(part)
            overhead = key
        value = cut_result.encode()
    return EncodedResult(value, kafka_headers_dropped="headers" in cut_result.left_out)


def encode_bare_result(result: ProofResult) -> bytes:
    """Write the value with all `PARTS` left out, for a record without the copied Kafka headers.

    The first error of a rejection stays, cut to a few words.
    """
    cut_result = TruncatedResult(result)
    for part in PARTS:
        cut_result.leave_out(part)
    cut_result.name("headers")
    return cut_result.encode()


def decode_result(value: bytes | None) -> ProofResult:
    """Read the value of a record of the result topic, also one that an older or a newer version wrote.

    An older one is read in the form of today. Unknown fields are ignored, and unknown reasons are kept as text. An
    unknown status is read as `inconclusive`. If the `schema_version` is newer than ours, optional fields that are not
    understood get their defaults.

    Raises:
        UndecodableResult: The value is no ProofResult.
    """
    data = _loads_result(value)
    for name in ("status", "reason", "assurance", "reached"):
        if isinstance(data.get(name), dict | list):
            # The enums repeat a wrong value in their errors: that of a deep one exceeds Python's recursion limit.
            data[name] = None
    status = data.get("status")
    # A reader of an older version must not take a verdict that it does not know for a good one, nor for a bad one.
    if isinstance(status, str) and status not in _STATUSES:
        data["status"] = Status.INCONCLUSIVE
    version = data.get("schema_version")
    if isinstance(version, int) and version < _ERROR_OR_RESPONSE:
        _modernize(data)
    try:
        return ProofResult.model_validate(data)
    except ValidationError as error:
        # The rule about `error` and `response` has no place of its own: it is about both.
        strange = [str(item["loc"][0]) if item["loc"] else "error" for item in error.errors(include_url=False)]
    # A newer worker may have given an optional field another type; without it the verdict can still be read.
    if isinstance(version, int) and version > SCHEMA_VERSION:
        with suppress(ValidationError):
            return ProofResult.model_validate({name: item for name, item in data.items() if name not in strange})
    fields = ", ".join(f"`{name}`" for name in dict.fromkeys(strange))
    raise UndecodableResult(f"the value is no ProofResult: missing or not understood: {fields}")


_ERROR_OR_RESPONSE = 3
"""The `schema_version` since which exactly one of `error` and `response` is set, and `summary` always."""


def _modernize(data: dict[str, Any]) -> None:
    """Bring a result of `schema_version` 2, whose `error` was the sentence of any reason but `ok`, to today's form."""
    reason = data.get("reason")
    # With the version of today it can be written again, as `results export` does.
    data["schema_version"] = SCHEMA_VERSION
    data["summary"] = data.get("error") or f"The verdict is {data.get('status')} ({reason})."
    if data.get("status") == Status.VERIFIED and data.get("response") is None:
        data["response"] = {}
    if reason not in LEAN_ANSWERED:
        data["response"] = None
    data["error"] = None if data.get("response") is not None else data["summary"]


def _loads_result(value: bytes | None) -> dict[str, Any]:
    """Read the JSON object of a result, with every integer of its `metadata` as it was sent."""
    if value is None:
        raise UndecodableResult("the record has no value: the verdict was deleted (a tombstone)")
    try:
        data = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UndecodableResult(f"the value is not valid JSON: {error.msg}") from None
    if not isinstance(data, dict):
        raise UndecodableResult(f"the value is {echo(data)}, not a JSON object")
    if not jsontext.has_rounded_integer(data.get("metadata"), MAX_METADATA_DEPTH):
        return data
    try:
        data["metadata"] = jsontext.loads_leniently(value)["metadata"]
    except ValueError as error:
        raise UndecodableResult(f"the value is not JSON that can be read: {error}") from None
    return data
