"""What tracing costs a worker for one answer: without a traceparent, with one that is not sampled, and with spans.

    python -m benchmarks.tracing

The figures are processor time of this process, so that what else runs on the machine counts as little as it can; of
several rounds the quickest counts. Spans go into a queue that nobody empties, as a worker's do for its event loop.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from streamverify.core.job import Record, RecordId, Verdict
from streamverify.core.messages.models import ProofRequest, Reason, Response, Source, Timings, Verifier
from streamverify.telemetry.tracing import Tracing
from streamverify.worker.intake import Requester
from streamverify.worker.results import ResultBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

_ROUNDS = 7
_ANSWERS = 3_000
_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"
_COMMON: list[tuple[str, bytes | None]] = [("streamverify-request-id", b"1" * 32), ("streamverify-run", b"today")]
_CASES: dict[str, list[tuple[str, bytes | None]]] = {
    "no traceparent": [],
    "not sampled": [("traceparent", f"{_TRACEPARENT}0".encode())],
    "sampled: six spans": [("traceparent", f"{_TRACEPARENT}1".encode())],
}


class Nowhere(SpanExporter):
    """Takes spans and does nothing with them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        return None


def _microseconds(builder: ResultBuilder, kafka_headers: list[tuple[str, bytes | None]]) -> float:
    """Processor time of making the record of one answer, and of its acknowledgement."""
    source = Source(topic="lean.proofs", partition=2, offset=5, timestamp=77)
    record = Record(RecordId(2, 5, 0), source, b"key", b"{}", _COMMON + kafka_headers, received=time.monotonic() - 1)
    request = ProofRequest(custom_id="a", proof="theorem t : True := trivial", run="today")
    requester = Requester(record, request)
    timings = Timings(queued=0.5, import_=0.25, run=0.1, audit=0.1, total=1.0)
    verdict = Verdict(Reason.OK, "fine", Response(), timings=timings)
    best = float("inf")
    for _ in range(_ROUNDS):
        begun = time.process_time()
        for _ in range(_ANSWERS):
            builder.record(requester, verdict, lambda: None).on_ack()
        best = min(best, time.process_time() - begun)
    return best / _ANSWERS * 1e6


def main() -> None:
    """Print the table."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Nowhere(), schedule_delay_millis=3_600_000, max_queue_size=2048))
    off = ResultBuilder("worker-1", Verifier(kind="lean"), "lean.results", 10**6)
    on = ResultBuilder("worker-1", Verifier(kind="lean"), "lean.results", 10**6, tracing=Tracing(provider, group="g"))
    print("| request | tracing off | tracing on | difference |\n|---|---|---|---|")
    for name, kafka_headers in _CASES.items():
        without, with_it = _microseconds(off, kafka_headers), _microseconds(on, kafka_headers)
        print(f"| {name} | {without:.1f} µs | {with_it:.1f} µs | {with_it - without:+.1f} µs |")


if __name__ == "__main__":
    main()
