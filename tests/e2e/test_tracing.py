"""A worker process and a collector: the spans of one request, from the record to the result."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import kafka_records
import pytest
from command import end, make_environment, serving_worker
from otlp_collector import collecting

from streamverify.core.tracing.trace_context import parse_traceparent
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from otlp_collector import Collector

pytestmark = pytest.mark.any_broker

PROOF = "theorem t : 1 = 1 := rfl"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def env(broker: str, request: pytest.FixtureRequest) -> dict[str, str]:
    return make_environment(broker, real=request.config.getoption("--kafka")) | {PREFIX + "LOG_FORMAT": "json"}


async def test_sampled_requests_have_spans_and_the_others_have_none(env: dict[str, str]) -> None:
    with collecting() as collector:
        # They stay in the worker until it ends, which is when they must not be forgotten.
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        with serving_worker(env | more) as worker:
            for flags in ("01", "00"):
                value = json.dumps({"custom_id": flags, "proof": PROOF}).encode()
                traceparent = f"00-{TRACE}-b7ad6b7169203331-{flags}".encode()
                await kafka_records.send(env, [value], kafka_headers=[("traceparent", traceparent)])
            await kafka_records.send(
                env, [b"no JSON"], kafka_headers=[("traceparent", f"00-{TRACE}-{'1' * 16}-00".encode())]
            )
            await kafka_records.results(env, {"00", "01"})
            await kafka_records.read(env, "DLQ_TOPIC", 1)
            _, log = await asyncio.to_thread(end, worker)
        _check_spans(collector, env)
        results = {record.key: record for record in await kafka_records.read(env, "RESULT_TOPIC", 2)}
        publish = next(span for span in collector.spans if span.name.startswith("publish "))
    traces = {
        key: [value for name, value in record.headers if name == "traceparent"] for key, record in results.items()
    }
    assert [len(traces[key]) for key in (b"00", b"01")] == [1, 2]
    last = parse_traceparent(traces[b"01"][-1])
    assert last is not None
    assert (last.trace_id, last.parent_id, last.sampled) == (TRACE, publish.span_id.hex(), True)
    [letter] = [line for line in map(json.loads, log.splitlines()) if line["event"] == "dead_letter"]
    assert (letter["trace_id"], letter["level"]) == (TRACE, "warning")
    assert {"partition", "offset", "hint"} <= letter.keys()


def _check_spans(collector: Collector, env: dict[str, str]) -> None:
    spans = {span.name: span for span in collector.spans}
    process = spans[f"process {env[PREFIX + 'REQUEST_TOPIC']}"]
    assert spans.keys() >= {"queue", "run", process.name, f"publish {env[PREFIX + 'RESULT_TOPIC']}"}
    assert len(spans) == len(collector.spans)
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    said = {each.key: each.value for each in process.attributes}
    assert said["streamverify.custom_id"].string_value == "01"
    assert said["messaging.consumer.group.name"].string_value == env[PREFIX + "GROUP_ID"]
