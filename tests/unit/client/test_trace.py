"""Requests of a program that has a span belong to its trace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, use_span

from streamverify.client.client import _encoded
from streamverify.client.requests import REQUEST_ID
from streamverify.client.trace import current_trace
from streamverify.core.trace_context import trace_context

if TYPE_CHECKING:
    import pytest

    from streamverify.client.connection import Connection


class Numbers:
    """A connection of which only the ids are asked."""

    def new_id(self) -> str:
        return "r-1"


async def headers_of_a_request() -> list[tuple[str, bytes]]:
    connection: Any = Numbers()
    [encoded] = [each async for each in _encoded(cast("Connection", connection), ["theorem t : True := trivial"])]
    return encoded.kafka_headers


async def test_a_request_in_a_span_carries_its_trace() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("a-trainer")
    with tracer.start_as_current_span("a step", Context()) as span:
        headers = await headers_of_a_request()
    assert headers[0] == (REQUEST_ID, b"r-1")
    context = trace_context(headers)
    assert context is not None
    said = span.get_span_context()
    assert (context.trace_id, context.parent_id) == (f"{said.trace_id:032x}", f"{said.span_id:016x}")
    assert context.sampled


async def test_a_span_that_nobody_keeps_is_not_sampled() -> None:
    tracer = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False).get_tracer("a-trainer")
    with tracer.start_as_current_span("a step", Context()):
        context = trace_context(await headers_of_a_request())
    assert context is not None
    assert not context.sampled


def test_a_tracestate_goes_with_it() -> None:
    state = TraceState([("vendor", "1")])
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    with use_span(NonRecordingSpan(remote)):
        assert [name for name, _ in current_trace()] == ["traceparent", "tracestate"]


async def test_without_a_span_or_without_opentelemetry_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await headers_of_a_request() == [(REQUEST_ID, b"r-1")]
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert current_trace() == ()
    assert "opentelemetry.trace" not in sys.modules
