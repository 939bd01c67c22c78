"""Spans of sampled requests, through a worker's service, with OpenTelemetry's exporter in memory."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from service_bench import Bench
from structlog.testing import capture_logs

from streamverify.core.job import Verdict
from streamverify.core.messages.codec import MIN_LIMIT
from streamverify.core.messages.models import Assurance, Reason, Response, Theorem, Timings
from streamverify.core.tracing.trace_context import parse_traceparent, trace_context
from streamverify.lean.kernel.reachable_tiers import ReachableTiers
from streamverify.settings import Settings
from streamverify.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.sampling import Sampler

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED: tuple[str, bytes | None] = ("traceparent", f"00-{TRACE}-{PARENT}-01".encode())
UNSAMPLED: tuple[str, bytes | None] = ("traceparent", f"00-{TRACE}-{PARENT}-00".encode())
FINE = Verdict(
    Reason.OK,
    "fine",
    Response(),
    timings=Timings(queued=0.5, import_=0.25, run=0.125, audit=0.0625, total=1.0),
    assurance=Assurance.AUDITED,
)


@dataclass
class Traced:
    """A service whose spans are kept in memory."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    sampler: Sampler | None = None
    limit: int = 1_000_000
    settings: Settings | None = None
    reachable: ReachableTiers | None = None

    def __post_init__(self) -> None:
        provider = TracerProvider(self.sampler, Resource.create(), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        tracing = Tracing(provider, group="a-group")
        self.bench = Bench(self.limit, tracing=tracing, settings=self.settings, reachable=self.reachable)

    def deliver(self, *headers: tuple[str, bytes | None], proof: str = "theorem t : True := trivial") -> None:
        value = json.dumps({"custom_id": "a", "proof": proof}).encode()
        self.bench.deliver(value, kafka_headers=headers, received=time.monotonic() - 1.0)

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


def test_the_spans_of_a_sampled_request() -> None:
    traced = Traced()
    begun = time.time_ns()
    traced.deliver(("x", b"1"), SAMPLED, ("tracestate", b"vendor=1"))
    traced.bench.pool.finish(FINE)
    [record] = traced.bench.publisher.records
    # What is not published yet has not ended.
    assert set(traced.spans()) == {"queue", "import", "run", "audit"}
    record.on_ack()
    spans = traced.spans()
    process, publish = spans["process lean.proofs"], spans["publish lean.results"]
    assert set(spans) == {"queue", "import", "run", "audit", process.name, publish.name}
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {TRACE}
    assert process.parent is not None
    assert (f"{process.parent.span_id:016x}", process.parent.is_remote, process.kind) == (
        PARENT,
        True,
        SpanKind.CONSUMER,
    )
    assert [f"{link.context.span_id:016x}" for link in process.links] == [PARENT]
    assert process.context.trace_state.get("vendor") == "1"
    inner = [span for span in spans.values() if span is not process]
    assert {span.parent and span.parent.span_id for span in inner} == {process.context.span_id}
    assert publish.kind is SpanKind.PRODUCER
    assert all((span.end_time or 0) >= (span.start_time or 0) >= (process.start_time or 0) for span in inner)
    lengths = {
        name: (spans[name].end_time or 0) - (spans[name].start_time or 0)
        for name in ("queue", "import", "run", "audit")
    }
    assert lengths == {"queue": 500_000_000, "import": 250_000_000, "run": 125_000_000, "audit": 62_500_000}
    # It began when the record was received, on the clock of the wall.
    assert abs((process.start_time or 0) - (begun - 1_000_000_000)) < 60_000_000_000
    assert (process.end_time or 0) >= begun


def test_the_attributes_are_those_of_the_conventions_for_messaging() -> None:
    traced = Traced()
    traced.deliver(SAMPLED)
    traced.bench.pool.finish(FINE)
    traced.bench.publisher.records[0].on_ack()
    spans = traced.spans()
    said = dict(spans["process lean.proofs"].attributes or {})
    assert cast("float", said.pop("streamverify.seconds_on_topic")) > 0
    assert said == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "lean.proofs",
        "messaging.destination.partition.id": "2",
        "messaging.kafka.offset": 5,
        "messaging.kafka.message.key": "key",
        "messaging.consumer.group.name": "a-group",
        "messaging.message.body.size": 58,
        "streamverify.custom_id": "a",
        "streamverify.status": "verified",
        "streamverify.reason": "ok",
        "streamverify.assurance": "audited",
        "streamverify.attempts": 1,
        "streamverify.cached": False,
    }
    assert dict(spans["publish lean.results"].attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "lean.results",
    }


def test_the_result_names_the_span_that_published_it_and_keeps_what_it_copied() -> None:
    traced = Traced()
    traced.deliver(("x", b"1"), SAMPLED)
    traced.bench.pool.finish(FINE)
    [record] = traced.bench.publisher.records
    record.on_ack()
    assert record.kafka_headers[:2] == [("x", b"1"), SAMPLED]
    assert [name for name, _ in record.kafka_headers] == ["x", "traceparent", "streamverify-status", "traceparent"]
    context = trace_context(record.kafka_headers)
    assert context is not None
    assert (context.trace_id, context.sampled) == (TRACE, True)
    assert context.parent_id == f"{traced.spans()['publish lean.results'].context.span_id:016x}"
    assert record.smaller is not None
    # Where the copied ones had to go, ours stays.
    assert trace_context(record.smaller().kafka_headers) == context


def test_where_the_copied_headers_do_not_fit_the_trace_goes_on_all_the_same() -> None:
    traced = Traced(limit=MIN_LIMIT)
    traced.deliver(SAMPLED, ("x", b"y" * MIN_LIMIT))
    traced.bench.pool.finish(FINE)
    [record] = traced.bench.publisher.records
    assert [name for name, _ in record.kafka_headers] == ["streamverify-status", "traceparent"]
    assert len(record.value or b"") + 1024 <= MIN_LIMIT


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [UNSAMPLED],
        [SAMPLED, UNSAMPLED],
        [("traceparent", None)],
        [("traceparent", b"\xff\x00")],
        [("Traceparent", SAMPLED[1])],
        [("traceparent", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01")],
    ],
)
def test_nothing_is_built_for_a_request_that_is_not_sampled(headers: list[tuple[str, bytes | None]]) -> None:
    class Untouched:
        """A provider that may be asked for its tracer, and the tracer for nothing."""

        def get_tracer(self, *_: object) -> object:
            return object()

    tracing = Tracing(cast("TracerProvider", Untouched()), group="g")
    bench = Bench(tracing=tracing)
    with capture_logs() as logs:
        bench.deliver(json.dumps({"custom_id": "a", "proof": "x"}).encode(), kafka_headers=headers)
        bench.pool.finish(FINE)
        bench.deliver(b"no JSON", offset=6, kafka_headers=headers)
        for record in bench.publisher.records:
            record.on_ack()
    assert [log["event"] for log in logs] == ["dead_letter"]
    assert bench.publisher.records[0].kafka_headers == [*headers, ("streamverify-status", b"verified")]
    assert len(bench.partitions.completed) == 2


def test_a_warm_header_has_no_import_and_an_answer_from_the_cache_only_waited() -> None:
    traced = Traced()
    traced.deliver(SAMPLED)
    traced.bench.pool.finish(
        Verdict(Reason.LEAN_ERROR, "no", Response(), timings=Timings(queued=1.0, run=1.0, total=2.0))
    )
    traced.bench.publisher.records[0].on_ack()
    spans = traced.spans()
    assert set(spans) == {"queue", "run", "process lean.proofs", "publish lean.results"}
    # A rejection is an answer, not a failure.
    assert spans["process lean.proofs"].status.status_code is StatusCode.UNSET
    traced.exporter.clear()
    traced.deliver(SAMPLED)
    traced.bench.pool.finish(
        Verdict(Reason.OK, "fine", Response(), cached_age=3.0, attempts=0, timings=Timings(queued=1.0, total=1.0))
    )
    traced.bench.publisher.records[1].on_ack()
    spans = traced.spans()
    assert set(spans) == {"queue", "process lean.proofs", "publish lean.results"}
    assert (spans["process lean.proofs"].attributes or {})["streamverify.cached"] is True


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.REPL_CRASH, Reason.OUT_OF_MEMORY])
def test_what_says_nothing_about_the_proof_is_an_error_of_the_span(reason: Reason) -> None:
    traced = Traced()
    traced.deliver(SAMPLED)
    traced.bench.pool.finish(Verdict(reason, "no"))
    traced.bench.publisher.records[0].on_ack()
    process = traced.spans()["process lean.proofs"]
    assert process.status.status_code is StatusCode.ERROR
    assert (process.attributes or {})["error.type"] == reason


def test_a_request_that_is_refused_at_once_has_its_spans_too() -> None:
    traced = Traced()
    traced.bench.deliver(b'{"custom_id": "a"}', kafka_headers=[SAMPLED], received=time.monotonic())
    traced.bench.publisher.records[0].on_ack()
    spans = traced.spans()
    assert set(spans) == {"process lean.proofs", "publish lean.results"}
    assert (spans["process lean.proofs"].attributes or {})["streamverify.reason"] == "invalid_request"


def test_a_dead_letter_is_a_failed_span_and_its_headers_are_the_request_s() -> None:
    traced = Traced()
    traced.bench.deliver(b"no JSON", kafka_headers=[SAMPLED], received=time.monotonic())
    [record] = traced.bench.publisher.records
    record.on_ack()
    spans = traced.spans()
    assert set(spans) == {"process lean.proofs", "publish lean.proofs.dlq"}
    process = spans["process lean.proofs"]
    assert process.status.status_code is StatusCode.ERROR
    assert (process.attributes or {})["error.type"] == "UndecodableRequest"
    assert [pair for pair in record.kafka_headers if not pair[0].startswith("__")] == [SAMPLED]
    assert len(traced.bench.partitions.completed) == 1


def test_the_second_result_of_an_upgrade_is_in_the_trace_as_well() -> None:
    traced = Traced(
        settings=Settings(require="audited", upgrade="replayed"), reachable=ReachableTiers(Assurance.REPLAYED)
    )
    traced.deliver(SAMPLED)
    audited = Verdict(
        Reason.OK, "fine", Response(), assurance=Assurance.AUDITED, theorems=[Theorem(name="t")], timings=FINE.timings
    )
    traced.bench.pool.finish(audited)
    traced.bench.publisher.records[0].on_ack()
    [(job, _, on_done)] = traced.bench.replays.upgrades
    traced.exporter.clear()
    on_done(
        job,
        Verdict(
            Reason.OK,
            "fine",
            Response(),
            assurance=Assurance.REPLAYED,
            timings=FINE.timings.model_copy(update={"replay": 2.0, "total": 3.0}),
        ),
    )
    traced.bench.publisher.records[1].on_ack()
    spans = traced.spans()
    assert "replay" in spans
    assert (spans["process lean.proofs"].attributes or {})["streamverify.assurance"] == "replayed"


def test_a_sampler_of_the_environment_may_want_fewer() -> None:
    traced = Traced(sampler=ALWAYS_OFF)
    traced.deliver(SAMPLED)
    traced.bench.pool.finish(FINE)
    [record] = traced.bench.publisher.records
    record.on_ack()
    assert traced.spans() == {}
    # Nobody has spans of this, so the trace goes on from the sender's.
    assert record.kafka_headers == [SAMPLED, ("streamverify-status", b"verified")]


def test_a_failure_to_make_spans_costs_the_spans_and_is_said_once() -> None:
    class Broken:
        """A tracer that fails."""

        def get_tracer(self, *_: object) -> Broken:
            return self

        def start_span(self, *_: Any, **__: Any) -> object:
            raise RuntimeError("no span")

    bench = Bench(tracing=Tracing(cast("TracerProvider", Broken()), group="g"))
    with capture_logs() as logs:
        for offset in range(3):
            bench.deliver(json.dumps({"custom_id": "a", "proof": "x"}).encode(), offset=offset, kafka_headers=[SAMPLED])
            bench.pool.finish(FINE)
        bench.deliver(b"no JSON", offset=9, kafka_headers=[SAMPLED])
    for record in bench.publisher.records:
        record.on_ack()
    assert len(bench.partitions.completed) == 4
    assert [log["event"] for log in logs] == ["spans_failed", "dead_letter"]


@pytest.mark.parametrize("key", [None, b"\xff\xfe", b"a\nb", b"k" * 300])
def test_a_key_that_is_no_text_is_left_out(key: bytes | None) -> None:
    traced = Traced()
    job = Tracing._of_request
    traced.deliver(SAMPLED)
    [(delivered, _)] = traced.bench.pool.jobs
    record = delivered.record
    said = job(cast("Tracing", traced.bench.service.answers._results.tracing), replace(record, key=key), 0)
    assert "messaging.kafka.message.key" not in said


def test_attempts_before_the_last_are_time_between_the_queue_and_the_last() -> None:
    traced = Traced()
    traced.deliver(SAMPLED)
    traced.bench.pool.finish(
        Verdict(Reason.OK, "fine", Response(), attempts=2, timings=Timings(queued=1.0, run=1.0, total=5.0))
    )
    traced.bench.publisher.records[0].on_ack()
    spans = traced.spans()
    process, run = spans["process lean.proofs"], spans["run"]
    assert (run.start_time or 0) - (process.start_time or 0) == 4_000_000_000


anything = st.none() | st.binary(max_size=40) | st.text('=,;-0af1 \\t"a', max_size=60).map(str.encode)


@given(st.lists(st.tuples(st.sampled_from(["traceparent", "tracestate", "x"]), anything), max_size=5), anything)
def test_whatever_a_request_brings_along_it_is_answered(
    headers: list[tuple[str, bytes | None]], state: bytes | None
) -> None:
    """The header is sampled, so that spans are made, and what stands beside it is as bad as it may be."""
    traced = Traced()
    with capture_logs() as logs:
        traced.deliver(*headers, SAMPLED, ("tracestate", state))
        traced.bench.pool.finish(FINE)
        traced.bench.publisher.records[0].on_ack()
    assert logs == []
    assert len(traced.bench.partitions.completed) == 1
    assert len(traced.spans()) == 6


def test_the_lines_about_a_record_name_it_and_its_trace() -> None:
    bench = Bench()
    with capture_logs() as logs:
        bench.deliver(b"no JSON", kafka_headers=[UNSAMPLED])
        bench.deliver(
            json.dumps({"custom_id": "c" * 500, "proof": "x"}).encode(),
            offset=7,
            kafka_headers=[SAMPLED],
            worker_deaths=9,
        )
    assert [log["event"] for log in logs] == ["dead_letter", "dead_letter"]
    assert [(log["partition"], log["offset"], log["trace_id"]) for log in logs] == [(2, 5, TRACE), (2, 7, TRACE)]
    assert logs[1]["custom_id"] == "c" * 80 + "…"
    assert parse_traceparent(SAMPLED[1]) is not None
