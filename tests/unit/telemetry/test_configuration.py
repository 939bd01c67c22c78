"""Where spans go: by the OTEL_* variables, and without harm where a collector is down, slow, or no collector."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from otlp_collector import collecting
from service_bench import Bench
from structlog.testing import capture_logs

from streamverify.core.job import Verdict
from streamverify.core.messages.models import Reason, Response, Timings
from streamverify.telemetry import configuration, tracing
from streamverify.telemetry.configuration import endpoint_of, open_tracing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.telemetry.tracing import Tracing

SAMPLED: tuple[str, bytes | None] = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
FINE = Verdict(
    Reason.OK, "fine", Response(), timings=Timings(queued=0.5, import_=0.25, run=0.125, audit=1.0, total=2.0)
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No OTEL_* of whoever runs this, and afterwards the log of the SDK as it was."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    logger = logging.getLogger("opentelemetry")
    before = (list(logger.handlers), logger.propagate)
    yield
    logger.handlers, logger.propagate = before


def opened(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Tracing | None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    return open_tracing("streamverify-worker", instance="w-1", group="g")


def answer(spans: Tracing, count: int = 1) -> Bench:
    """Have a service answer sampled requests, each acknowledged."""
    bench = Bench(tracing=spans)
    for offset in range(count):
        bench.deliver(
            json.dumps({"custom_id": "a", "proof": "x"}).encode(),
            offset,
            kafka_headers=[SAMPLED],
            received=time.monotonic(),
        )
        bench.pool.finish(FINE)
        bench.publisher.records[-1].on_ack()
    assert len(bench.partitions.completed) == count
    return bench


@contextmanager
def events() -> Iterator[list[Any]]:
    """What is logged, `tracing` at the start left out."""
    with capture_logs() as logs:
        yield logs
        logs[:] = [log for log in logs if log["event"] != "tracing"]


async def test_spans_arrive_as_the_protocol_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector, events() as logs:
        spans = opened(monkeypatch, EXPORTER_OTLP_ENDPOINT=collector.url)
        assert spans is not None
        answer(spans)
        await spans.close()
        assert [path for path, _ in collector.requests] == ["/v1/traces"]
        assert sorted(span.name for span in collector.spans) == sorted(
            ["queue", "import", "run", "audit", "publish lean.results", "process lean.proofs"]
        )
        assert {span.trace_id.hex() for span in collector.spans} == {"0af7651916cd43dd8448eb211c80319c"}
        resource = collector.resource()
    assert (resource["service.name"], resource["service.instance.id"]) == ("streamverify-worker", "w-1")
    assert logs == []


async def test_the_environment_names_the_service_and_the_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        spans = opened(
            monkeypatch,
            EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/here",
            SERVICE_NAME="ours",
            RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.instance.id=w-9",
        )
        assert spans is not None
        answer(spans)
        await spans.close()
        assert [path for path, _ in collector.requests] == ["/here"]
        resource = collector.resource()
    assert (resource["service.name"], resource["service.instance.id"]) == ("ours", "w-9")
    assert resource["deployment.environment.name"] == "test"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:1",
        "http://127.0.0.1:1/v1 x",
        "http://[nonsense",
        "no address",
        "ftp://127.0.0.1:1",
        "http://user:secret@127.0.0.1:1",
    ],
)
async def test_a_collector_that_is_not_there_costs_spans_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    with events() as logs:
        spans = opened(
            monkeypatch,
            EXPORTER_OTLP_ENDPOINT=endpoint,
            EXPORTER_OTLP_TIMEOUT="1",
            BSP_SCHEDULE_DELAY="10",
            BSP_MAX_EXPORT_BATCH_SIZE="6",
        )
        if spans is not None:
            answer(spans, 5)
            monkeypatch.setattr(tracing, "_CLOSE", 60.0)
            await spans.close()
    [log] = logs
    assert log["event"] == ("spans_not_exported" if spans is not None else "no_tracing")
    assert log["hint"]
    assert "secret" not in str(logs)


async def test_a_collector_that_refuses_is_said_once_and_said_when_it_takes_spans_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collecting(400) as collector, events() as logs:
        spans = opened(monkeypatch, EXPORTER_OTLP_ENDPOINT=collector.url, BSP_SCHEDULE_DELAY="600000")
        assert spans is not None
        for status in (400, 400, 200, 200):
            collector.status = status
            answer(spans)
            assert spans._provider.force_flush()
        await spans.close()
    assert [(log["event"], log.get("lost")) for log in logs] == [
        ("spans_not_exported", None),
        ("spans_exported_again", 12),
    ]
    assert "400" in logs[0]["error"]


async def test_a_collector_that_hangs_neither_stops_answers_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_CLOSE", 0.01)
    with collecting(hangs=True) as collector, events() as logs:
        spans = opened(
            monkeypatch,
            EXPORTER_OTLP_ENDPOINT=collector.url,
            EXPORTER_OTLP_TIMEOUT="600",
            BSP_SCHEDULE_DELAY="1",
            BSP_MAX_QUEUE_SIZE="8",
            BSP_MAX_EXPORT_BATCH_SIZE="8",
        )
        assert spans is not None
        # Far more spans than the queue takes: what does not fit is lost, and no answer waits for it.
        answer(spans, 50)
        await spans.close()
    assert [log["event"] for log in logs if log["event"] != "spans_not_exported"] == ["last_spans_left_behind"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SDK_DISABLED": "TRUE"}, []),
        ({"TRACES_EXPORTER": "none"}, []),
        ({"TRACES_EXPORTER": "zipkin"}, ["no_tracing"]),
        ({"EXPORTER_OTLP_PROTOCOL": "grpc"}, ["no_tracing"]),
        ({"EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, ["no_tracing"]),
        ({"BSP_MAX_EXPORT_BATCH_SIZE": "-1"}, ["no_tracing"]),
    ],
)
def test_what_is_not_wanted_or_not_possible_is_off(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: list[str]
) -> None:
    with capture_logs() as logs:
        assert opened(monkeypatch, **variables) is None
    assert [log["event"] for log in logs] == said
    assert all(log["hint"] for log in logs)


@pytest.mark.parametrize(("endpoint", "said"), [("", []), ("http://collector:4318", ["no_tracing"])])
def test_without_the_extra_whoever_wants_spans_is_told(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, said: list[str]
) -> None:
    monkeypatch.setattr(configuration, "_is_installed", lambda: False)
    with capture_logs() as logs:
        assert opened(monkeypatch, EXPORTER_OTLP_ENDPOINT=endpoint) is None
    assert [log["event"] for log in logs] == said


def test_an_exporter_that_raises_is_said_once() -> None:
    class Raising(SpanExporter):
        def export(self, _spans: object) -> SpanExportResult:
            raise OSError("no //user:secret@host")

        def shutdown(self) -> None:
            pass

    exporter = tracing.QuietExporter(Raising())
    with capture_logs() as logs:
        spans: Any = [object()]
        assert [exporter.export(spans) for _ in range(3)] == [SpanExportResult.FAILURE] * 3
    assert [log["event"] for log in logs] == ["spans_not_exported"]
    assert "secret" not in str(logs)


def test_spans_go_to_a_collector_on_this_machine_where_no_variable_names_one() -> None:
    assert endpoint_of({}) == configuration.DEFAULT_ENDPOINT
