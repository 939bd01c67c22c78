"""Requests of a program that has a span belong to its trace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, use_span

from streamverify.client.client_connection import ClientConnection
from streamverify.client.requests import REQUEST_ID
from streamverify.client.trace import current_trace
from streamverify.core.messages.models import ProofRequest
from streamverify.core.tracing.trace_context import trace_context
from streamverify.settings import Settings

if TYPE_CHECKING:
    import pytest


def headers_of_a_request() -> list[tuple[str, bytes]]:
    connection = ClientConnection(Settings(), "r")
    return connection.encode(ProofRequest(custom_id="1", proof="theorem t : True := trivial")).kafka_headers


def test_a_request_in_a_span_carries_its_trace() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("a-trainer")
    with tracer.start_as_current_span("a step", Context()) as span:
        headers = headers_of_a_request()
    assert headers[0] == (REQUEST_ID, b"r-1")
    context = trace_context(headers)
    assert context is not None
    said = span.get_span_context()
    assert (context.trace_id, context.parent_id) == (f"{said.trace_id:032x}", f"{said.span_id:016x}")
    assert context.sampled


def test_a_span_that_nobody_keeps_is_not_sampled() -> None:
    tracer = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False).get_tracer("a-trainer")
    with tracer.start_as_current_span("a step", Context()):
        context = trace_context(headers_of_a_request())
    assert context is not None
    assert not context.sampled


def test_a_tracestate_goes_with_it() -> None:
    state = TraceState([("vendor", "1")])
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    with use_span(NonRecordingSpan(remote)):
        assert [name for name, _ in current_trace()] == ["traceparent", "tracestate"]


def test_without_a_span_or_without_opentelemetry_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert headers_of_a_request() == [(REQUEST_ID, b"r-1")]
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert current_trace() == ()
    assert "opentelemetry.trace" not in sys.modules
