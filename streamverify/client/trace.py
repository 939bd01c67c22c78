"""The trace that a program with our client is in: its requests belong to it, as a call over HTTP would."""

from __future__ import annotations

import sys

from streamverify.core.tracing.trace_context import headers_of_http


def current_trace() -> tuple[tuple[str, bytes], ...]:
    """Return the Kafka headers of the caller's current span; none where there is no span.

    OpenTelemetry is not imported for that: a program that has a span has done so.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return ()
    context = api.get_current_span().get_span_context()
    if not context.is_valid:
        return ()
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 0xFF:02x}"
    state = context.trace_state.to_header()
    return headers_of_http([parent], [state] if state else [])
