"""The metrics of a gateway: what it counts of each request over HTTP, and where the rest is computed from."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from streamverify.core.messages.models import OUTCOMES
from streamverify.core.metrics.labels import ANSWERED, REFUSALS, ROUTES, code_of, method_of, route_of
from streamverify.core.metrics.metric import Process
from streamverify.telemetry.build import build_info
from streamverify.telemetry.loop_delay import watch_event_loop
from streamverify.telemetry.metrics import Metrics

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from streamverify.core.gateway.admission import Admission
    from streamverify.gateway.fair_queue import FairQueue
    from streamverify.gateway.request_reply import RequestReply
    from streamverify.telemetry.metrics import MetricsPage, Source

_GONE = 499
"""The status that is counted where the client went before it had an answer, as proxies log it."""


class GatewayMetrics:
    """The metrics of one gateway."""

    def __init__(
        self,
        ways: Sequence[RequestReply],
        admission: Admission,
        queue: FairQueue,
        *,
        closing: asyncio.Event,
        trouble: Callable[[], str],
    ) -> None:
        """Count nothing yet; the arguments are the parts that a gateway is made of, read at each scrape."""
        self._ways = ways
        self._metrics = Metrics(Process.GATEWAY)
        self._requests: Counter[tuple[str, ...]] = Counter()
        """By route, method and code."""
        self._refused: Counter[tuple[str, ...]] = Counter()
        self._seconds = {
            route: self._metrics.histogram("streamverify_http_request_seconds", route).observe for route in ROUTES
        }
        sources: dict[str, Source] = {
            "http_requests_total": lambda: self._requests,
            "gateway_refused_total": lambda: self._refused,
            "gateway_answers_total": self._answers,
            "gateway_requests_held": lambda: admission.requests,
            "gateway_held_bytes": lambda: admission.bytes,
            "gateway_proofs_waiting": lambda: queue.waiting,
            "gateway_proofs_in_flight": lambda: queue.in_flight,
            "ready": lambda: not trouble(),
            "brokers_reachable": lambda: not any(way.follower.trouble for way in ways),
            "draining": closing.is_set,
            "build_info": build_info,
        }
        self._metrics.at_scrape({f"streamverify_{name}": source for name, source in sources.items()})
        self._metrics.require_all()

    def page(self, accept: str) -> MetricsPage:
        """Make the answer to `/metrics`."""
        return self._metrics.page(accept)

    async def run(self) -> None:
        """Watch the event loop, until cancelled."""
        await watch_event_loop(self._metrics.histogram("streamverify_event_loop_delay_seconds").observe)

    def answered(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        route = route_of(path)
        self._requests[route, method_of(method), code_of(status)] += 1
        self._seconds[route](seconds)
        if (why := REFUSALS.get(status)) is not None:
            self._refused[why,] += 1

    def _answers(self) -> Counter[tuple[str, ...]]:
        # Zeros from the start: the rate of a counter that appears with its first event misses that event.
        counts: Counter[tuple[str, ...]] = Counter({(each.status, reason): 0 for reason, each in OUTCOMES.items()})
        for way in self._ways:
            for (status, reason), count in way.answered.items():
                counts[status, reason if ANSWERED.allows(reason) else "other"] += count
        return counts


class RequestCounter:
    """ASGI middleware that counts each request when its answer is out, however long it takes."""

    def __init__(self, app: ASGIApp, *, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and count how."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        # Until an answer begins: a client that goes before gets none.
        status = _GONE

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception:
            # Whoever is outside of us answers it, or the client sees that its answer is broken off.
            status = 500
            raise
        finally:
            self._metrics.answered(scope["path"], scope["method"], status, time.monotonic() - begun)
