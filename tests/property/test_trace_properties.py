"""Whatever stands in a `traceparent`: it is read as OpenTelemetry reads it, or counts as not there."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streamverify.core.messages.models import Timings
from streamverify.core.tracing.trace_context import (
    MAX_TRACESTATE,
    headers_of_http,
    parse_traceparent,
    trace_context,
    tracestate,
)
from streamverify.core.tracing.trace_steps import steps

VALID = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
hex_digits = st.text("0123456789abcdef", max_size=40) | st.text("0123456789abcdefABCDEFg", min_size=16, max_size=33)
near_misses = st.builds(
    lambda version, trace, parent, flags, rest: f"{version}-{trace}-{parent}-{flags}{rest}".encode(),
    st.sampled_from(["00", "01", "cc", "ff", "0", "0x"]),
    st.sampled_from(["0" * 32, "1" * 32, "a" * 31, "A" * 32, "0af7651916cd43dd8448eb211c80319c"]) | hex_digits,
    st.sampled_from(["0" * 16, "1" * 16, "b7ad6b7169203331", "b" * 17]) | hex_digits,
    st.sampled_from(["00", "01", "02", "03", "ff", "fe", "1", "zz", "001"]),
    st.sampled_from(["", "-", "-what", "x", "\n", " ", "-\n"]),
)
mutated = st.builds(
    lambda at, byte: VALID[:at] + bytes([byte]) + VALID[at + 1 :],
    st.integers(0, len(VALID) - 1),
    st.integers(0, 255),
)
anything = st.binary(max_size=80) | near_misses | mutated


@given(anything)
@example(VALID)
@example(VALID[:-2] + b"00")
@example(b" " + VALID + b"\t")
@example(b"\xff" * 55)
def test_any_bytes_are_read_as_opentelemetry_reads_them(value: bytes) -> None:
    ours = parse_traceparent(value)
    text = value.decode("latin-1")
    # Their expression takes a line break at the end, and the first four parts of a version that it does not know
    # whatever follows a line break; neither is a trace context.
    if "\n" in text:
        assert ours is None or b"\n" in value[len(VALID) :]
        return
    theirs = get_current_span(
        TraceContextTextMapPropagator().extract({"traceparent": text}, Context())
    ).get_span_context()
    assert (ours is not None) == theirs.is_valid
    if ours is not None:
        assert (int(ours.trace_id, 16), int(ours.parent_id, 16)) == (theirs.trace_id, theirs.span_id)
        assert ours.sampled == theirs.trace_flags.sampled


kafka_headers = st.lists(
    st.tuples(st.sampled_from(["traceparent", "tracestate", "Traceparent", "x"]), st.none() | anything), max_size=4
)


@given(kafka_headers)
def test_of_several_headers_the_last_counts(headers: list[tuple[str, bytes | None]]) -> None:
    values = [value for name, value in headers if name == "traceparent"]
    assert trace_context(headers) == (parse_traceparent(values[-1]) if values else None)
    state = tracestate(headers)
    assert state.isascii()
    assert len(state) <= MAX_TRACESTATE
    assert trace_context([*headers, ("traceparent", VALID)]) is not None


texts = st.text(max_size=60) | anything.map(lambda value: value.decode("latin-1"))


@given(st.lists(texts, max_size=2), st.lists(texts, max_size=2))
def test_what_http_passes_on_is_one_valid_header_or_none(parents: list[str], states: list[str]) -> None:
    headers = headers_of_http(parents, states)
    assert headers_of_http([*parents, VALID.decode(), VALID.decode()], states) == ()
    if headers:
        assert len(parents) == 1
        assert trace_context(headers) is not None
        assert len(headers) == len({name for name, _ in headers}) <= 2
    else:
        assert len(parents) != 1 or parse_traceparent(parents[0].encode("utf-8", "replace")) is None


seconds = st.just(0.0) | st.floats(0, 1e5)


@given(
    st.builds(Timings, queued=seconds, import_=seconds, run=seconds, audit=seconds, replay=seconds),
    seconds,
    st.integers(0, 3),
)
def test_steps_follow_each_other_and_last_as_long_as_they_took(timings: Timings, more: float, attempts: int) -> None:
    taken = {
        "queue": timings.queued,
        "import": timings.import_,
        "run": timings.run,
        "audit": timings.audit,
        "replay": timings.replay,
    }
    timings = timings.model_copy(update={"total": sum(taken.values()) + more})
    placed = steps(timings, attempts)
    assert [step.name for step in placed] == [name for name, took in taken.items() if round(took * 1e9)]
    for step in placed:
        assert step.end - step.start == round(taken[step.name] * 1e9)
    for one, other in pairwise(placed):
        assert one.end <= other.start
    if placed:
        assert placed[0].start >= 0
        # To the nanosecond, as far as five rounded figures can be.
        assert placed[-1].end <= round(timings.total * 1e9) + 16_384
