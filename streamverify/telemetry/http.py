"""`/metrics` for the HTTP server of worker, router and results table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamverify.telemetry.metrics import Metrics


def answers(metrics: Metrics) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the handler of `/metrics`."""

    async def answer(request: web.Request) -> web.Response:
        page = metrics.page(request.headers.get("Accept", ""))
        # Not `content_type=`: aiohttp wants the charset apart, and the type of OpenMetrics has parameters of its own.
        return web.Response(body=page.body, status=page.status, headers={"Content-Type": page.content_type})

    return answer
