"""Makes the spans of requests whose `traceparent` is sampled. Needs the extra `otel`; `configuration` opens it.

Spans are made when the answer is there, from the times that the verdict has: a request that nobody traces costs a look
for one Kafka header. They leave the process in a thread of OpenTelemetry's, from a queue that is bounded, so a
collector that is slow, wrong or gone costs spans and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from streamverify.core.log.secrets import without_secrets
from streamverify.core.messages.models import OUTCOMES, Status
from streamverify.core.tracing.trace_context import TRACEPARENT, trace_context, tracestate
from streamverify.core.tracing.trace_steps import steps
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span

    from streamverify.core.job import Record, Verdict
    from streamverify.core.tracing.trace_context import TraceContext
    from streamverify.core.tracing.trace_steps import TraceStep

_log = structlog.get_logger(__name__)

_CLOSE = 2.0
"""Seconds that a process which ends waits for its last spans."""
_MAX_KEY = 256
"""Bytes of a record's key that a span has at most; a longer one is left out."""


class AnswerSpans:
    """The spans of one answer that is on its way to the broker."""

    def __init__(self, process: Span, publish: Span) -> None:
        self._process = process
        self._publish = publish
        context = publish.get_span_context()
        trace = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
        self.kafka_header: tuple[str, bytes] = (TRACEPARENT, trace.encode())
        """Says in the answer's record what caused it: the span that publishes it."""

    def ended_after(self, on_ack: Callable[[], None]) -> Callable[[], None]:
        """Make the callback of the acknowledgement: it does what `on_ack` does, and then ends the spans."""

        def acknowledged() -> None:
            # Before the callback, whose work is not the broker's time.
            now = time.time_ns()
            on_ack()
            self._publish.end(now)
            self._process.end(now)

        return acknowledged


class Tracing:
    """Makes the spans of one process.

    The caller guards no call: whatever goes wrong here is said once, and the answer goes out without spans.
    """

    def __init__(self, provider: TracerProvider, *, group: str) -> None:
        """Make spans with this provider, for a member of the consumer group `group`."""
        self._provider = provider
        self._tracer = provider.get_tracer("streamverify", __version__)
        self._group = group
        self._failed = False

    def answer(self, record: Record, custom_id: str, verdict: Verdict, topic: str) -> AnswerSpans | None:
        """Make the spans of an answer, up to its publication.

        Args:
            record: The request's record.
            custom_id: The request's.
            verdict: The answer.
            topic: Where it is published.

        Returns:
            What ends them when the broker has the answer; None for a request that is not sampled.
        """
        context = trace_context(record.kafka_headers)
        if context is None or not context.sampled:
            return None
        try:
            outcome = OUTCOMES[verdict.reason]
            said = {
                "streamverify.custom_id": custom_id,
                "streamverify.status": str(outcome.status),
                "streamverify.reason": str(verdict.reason),
                "streamverify.assurance": str(verdict.assurance),
                "streamverify.attempts": verdict.attempts,
                "streamverify.cached": verdict.cached_age is not None,
            }
            # A proof that Lean rejects is no error of anybody's: only what says nothing about the proof is.
            error = verdict.reason if outcome.status is Status.INCONCLUSIVE else None
            placed = steps(verdict.timings, verdict.attempts)
            return self._begin(record, context, topic, said=said, error=error, placed=placed)
        except Exception as failure:  # noqa: BLE001 - no span is worth a verdict
            self._complain(failure)
            return None

    def dead_letter(self, record: Record, custom_id: str | None, failure: Exception, topic: str) -> AnswerSpans | None:
        """Make the spans of a record that becomes a dead letter; for the rest see `answer`."""
        context = trace_context(record.kafka_headers)
        if context is None or not context.sampled:
            return None
        try:
            said = {} if custom_id is None else {"streamverify.custom_id": custom_id}
            return self._begin(record, context, topic, said=said, error=type(failure).__name__, placed=[])
        except Exception as error:  # noqa: BLE001 - as above
            self._complain(error)
            return None

    def _begin(  # noqa: PLR0913 - what a span says
        self,
        record: Record,
        parent: TraceContext,
        topic: str,
        *,
        said: Mapping[str, Any],
        error: str | None,
        placed: Sequence[TraceStep],
    ) -> AnswerSpans | None:
        remote = SpanContext(
            int(parent.trace_id, 16),
            int(parent.parent_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
            trace_state=TraceState.from_header([tracestate(record.kafka_headers)]),
        )
        received = time.time_ns() - round((time.monotonic() - record.received) * 1e9)
        # The conventions ask for a link to what created the message. It is the parent, too: a record is processed by
        # itself, and whoever follows a trace finds its verdict in it.
        process = self._tracer.start_span(
            f"process {record.source.topic}",
            set_span_in_context(NonRecordingSpan(remote), Context()),
            SpanKind.CONSUMER,
            {**self._of_request(record, received), **said},
            [Link(remote)],
            received,
        )
        if not process.is_recording():
            # OTEL_TRACES_SAMPLER wants fewer than the senders do.
            return None
        if error is not None:
            process.set_attribute("error.type", error)
            process.set_status(StatusCode.ERROR)
        within = set_span_in_context(process, Context())
        for name, start, end in placed:
            self._tracer.start_span(name, within, start_time=received + start).end(received + end)
        publish = self._tracer.start_span(
            f"publish {topic}",
            within,
            SpanKind.PRODUCER,
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "publish",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
            },
        )
        return AnswerSpans(process, publish)

    def _of_request(self, record: Record, received: int) -> dict[str, str | int | float]:
        """Make the attributes of OpenTelemetry's conventions for messaging, with the record's time on its topic."""
        source, key = record.source, record.key
        said: dict[str, str | int | float] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": source.topic,
            "messaging.destination.partition.id": str(source.partition),
            "messaging.kafka.offset": source.offset,
            "messaging.consumer.group.name": self._group,
            "messaging.message.body.size": len(record.value or b""),
            "streamverify.seconds_on_topic": max(0.0, round(received / 1e9 - source.timestamp / 1e3, 3)),
        }
        # A key is said where it is a text; ours are, those of other producers need not be.
        if key is not None and len(key) <= _MAX_KEY and (text := _as_text(key)) is not None:
            said["messaging.kafka.message.key"] = text
        return said

    def _complain(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            _log.warning(
                "spans_failed",
                error=without_secrets(repr(error)),
                hint="a bug of streamverify or of OpenTelemetry: answers go out without spans; said once, please "
                "report it",
            )

    async def close(self) -> None:
        """Send the last spans, if that is quickly done."""
        # A thread that may be left behind: the loop waits for those of its own executor, and a collector may be slow.
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            try:
                self._provider.shutdown()
            finally:
                # The loop is closed by then where that took too long.
                if not loop.is_closed():
                    loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="last-spans", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSE):
                await done.wait()
        except TimeoutError:
            _log.info("last_spans_left_behind", seconds=_CLOSE)


def _as_text(key: bytes) -> str | None:
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


# --- export ---------------------------------------------------------------------------------------------------------


def provider_over_otlp(service: str, instance: str) -> TracerProvider:
    """Make a provider whose spans go where the OTEL_* variables say.

    Raises:
        Exception: One of the variables cannot be read; the SDK raises what it likes.
    """
    ours = {"service.name": service, "service.instance.id": instance, "service.version": __version__}
    # What the environment says of the process is said on purpose: it wins.
    resource = Resource.create(ours).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(QuietExporter(OTLPSpanExporter())))
    return provider


class QuietExporter(SpanExporter):
    """Says once that spans cannot be exported, and why, until they can be again."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._lost = 0
        self._last_words = _LastWords()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export; never raises. Runs in a thread of the SDK's."""
        self._last_words.text = ""
        try:
            result = self._inner.export(spans)
            why = self._last_words.text
        except Exception as error:  # noqa: BLE001 - an address that is none raises what `requests` likes
            result, why = SpanExportResult.FAILURE, repr(error)
        if result is SpanExportResult.SUCCESS:
            if self._lost:
                _log.info("spans_exported_again", lost=self._lost)
            self._lost = 0
            return result
        if not self._lost:
            _log.warning(
                "spans_not_exported",
                error=without_secrets(why),
                hint="is a collector listening for OTLP over HTTP where OTEL_EXPORTER_OTLP_ENDPOINT says? Proofs are "
                "verified all the same, these spans are lost; said once until it works again. "
                "OTEL_TRACES_EXPORTER=none sends none",
            )
        self._lost += len(spans)
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter holds."""
        return self._inner.force_flush(timeout_millis)


class _LastWords(logging.Handler):
    """Keeps the last complaint of the SDK, which tells its log alone why an export failed, and that each time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        logger = logging.getLogger("opentelemetry")
        logger.handlers = [self]
        # At LOG_LEVEL trace whatever libraries log is wanted.
        logger.propagate = logging.getLogger().getEffectiveLevel() <= logging.DEBUG

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.text = record.getMessage()
