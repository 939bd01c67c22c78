"""`/metrics` at the HTTP server of worker, router and results table."""

from __future__ import annotations

import urllib.error
import urllib.request
from asyncio import to_thread

from streamverify.core.metrics.metric import Process
from streamverify.runtime import HealthServer
from streamverify.telemetry.http import answers
from streamverify.telemetry.metrics import Metrics


def get(url: str, accept: str) -> tuple[int, str, str]:
    asked = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - loopback
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


async def test_it_is_negotiated_and_found() -> None:
    # Nobody computes anything here: each row is a failure, and the page is there all the same.
    more = {"/metrics": answers(Metrics(Process.TABLE))}
    server = HealthServer("127.0.0.1", 0, ready=lambda: True, status=dict, more=more)
    url = f"http://127.0.0.1:{await server.start()}"
    try:
        plain = await to_thread(get, f"{url}/metrics", "text/plain")
        new = await to_thread(get, f"{url}/metrics", "application/openmetrics-text; version=1.0.0")
        nothing = await to_thread(get, f"{url}/metric", "*/*")
        ready = await to_thread(get, f"{url}/ready", "*/*")
    finally:
        await server.close()
    assert plain[:2] == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'streamverify_metric_failures_total{metric="streamverify_table_rows"} 1.0' in plain[2]
    assert new[0] == 200
    assert new[1].startswith("application/openmetrics-text; version=1.0.0")
    assert new[2].endswith("# EOF\n")
    assert nothing[0] == 404
    assert "/metrics" in nothing[2], "whoever mistypes it is told what there is"
    assert ready[0] == 200
