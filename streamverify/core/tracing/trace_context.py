"""Reads the W3C trace context of a record: to which trace its request belongs, and whether that trace is sampled. Pure.

The rules are those of https://www.w3.org/TR/trace-context/ for `traceparent`. Whoever may write to the request topic
may write anything into it, so what is not understood counts as not there: it is no reason to refuse a proof.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACEPARENT = "traceparent"
"""The Kafka header, and the header of HTTP: version, trace id, id of the span that caused this, flags."""
TRACESTATE = "tracestate"
"""The header beside it in which tracing systems keep what is their own; it is passed on as it is."""

MAX_TRACESTATE = 512
"""Characters of a `tracestate` that are passed on; the W3C asks for at least so many."""

_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace that a request belongs to. Ids are lower-case hexadecimal digits, as `traceparent` has them."""

    trace_id: str
    """32 digits."""
    parent_id: str
    """16 digits: the span of whoever sent the request."""
    sampled: bool
    """True if somebody keeps this trace. Spans are made for such requests only."""


def parse_traceparent(value: bytes | None) -> TraceContext | None:
    """Read the value of a `traceparent`. Returns None for anything that is not one."""
    if value is None:
        return None
    # Blanks around it are allowed by HTTP, from where it may come.
    match = _FORM.fullmatch(value.strip(b" \t"))
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    # Version ff is reserved, version 00 has four parts, and no valid id is all zeros. Later versions may append parts.
    if version == b"ff" or (version == b"00" and more is not None) or not trace_id.strip(b"0"):
        return None
    if not parent_id.strip(b"0"):
        return None
    return TraceContext(trace_id.decode(), parent_id.decode(), bool(int(flags, 16) & _SAMPLED))


def trace_context(kafka_headers: Sequence[tuple[str, bytes | None]]) -> TraceContext | None:
    """Find the trace that a record belongs to; None where it names no trace, or one that cannot be read.

    The last `traceparent` counts, as with every Kafka header: whoever passes a record on appends its own.
    """
    found = None
    for name, value in kafka_headers:
        if name == TRACEPARENT:
            found = value
    # Most records have none: this costs them one comparison a header.
    return None if found is None else parse_traceparent(found)


def tracestate(kafka_headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Return the record's last `tracestate`; "" where there is none, it is not printable ASCII, or it is too long."""
    values = [value for name, value in kafka_headers if name == TRACESTATE and value is not None]
    text = values[-1].decode("ascii", errors="replace") if values else ""
    return text if text.isascii() and text.isprintable() and len(text) <= MAX_TRACESTATE else ""


def headers_of_http(traceparents: Sequence[str], tracestates: Sequence[str]) -> tuple[tuple[str, bytes], ...]:
    """Make the Kafka headers that carry the trace context of an HTTP request on to its records.

    Args:
        traceparents: The values of all `traceparent` headers. More than one is as good as none, by the W3C's rule.
        tracestates: The values of all `tracestate` headers, which are parts of one list.
    """
    if len(traceparents) != 1 or not traceparents[0].isascii():
        return ()
    parent = traceparents[0].strip(" \t").encode()
    if parse_traceparent(parent) is None:
        return ()
    # Several headers of this name are one list, by the rules of HTTP.
    state = tracestate([(TRACESTATE, ",".join(tracestates).encode(errors="replace"))])
    return ((TRACEPARENT, parent), *([(TRACESTATE, state.encode())] if state else []))
