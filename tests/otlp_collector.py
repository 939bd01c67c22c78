"""A collector of spans on loopback: what OpenTelemetry's own protocol says came in, or how it behaves badly."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What came in, by path; `answers` is let go to have those that hang answered."""

    status: int = 200
    hangs: bool = False
    url: str = ""
    requests: list[tuple[str, ExportTraceServiceRequest]] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    @property
    def spans(self) -> list[Span]:
        """Every span that came in."""
        return [
            span
            for _, request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self) -> dict[str, str]:
        """What the first request says of the process that sent it."""
        attributes = self.requests[0][1].resource_spans[0].resource.attributes
        return {each.key: each.value.string_value for each in attributes}


@contextlib.contextmanager
def collecting(status: int = 200, *, hangs: bool = False) -> Iterator[Collector]:
    """Run a collector that answers with this status, or not at all before the block ends."""
    collector = Collector(status, hangs)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            collector.requests.append((self.path, request))
            if collector.hangs:
                collector.answers.wait()
            with contextlib.suppress(OSError):
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        collector.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()
