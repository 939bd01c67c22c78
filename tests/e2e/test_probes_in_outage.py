"""Probes in an outage of the broker: none makes a kubelet end a pod, and all is well again afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from command import environment, make_environment, settings_of, started, wait_for_log

from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest, Reason
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

LISTENING = {
    "worker": r"http_listening.* port=(\d+)",
    "router": r"http_listening.* port=(\d+)",
    "gateway": r"gateway_listening.* url=\S+:(\d+)",
}


def probe(port: str, path: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of an answer."""
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=300)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, json.load(answer)


async def until(condition: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(condition):
        await asyncio.sleep(0.1)


async def test_an_outage_of_the_broker_ends_no_pod() -> None:
    with started(environment(), "broker") as broker, contextlib.ExitStack() as stack:
        assert broker.stdout is not None
        address = re.search(r"127\.0\.0\.1:\d+", await asyncio.to_thread(broker.stdout.readline))
        assert address is not None
        env = make_environment(address[0], real=False) | {PREFIX + "GATEWAY_PORT": "0"}
        pods: dict[str, tuple[subprocess.Popen[str], str]] = {}
        for name, pattern in LISTENING.items():
            process = stack.enter_context(started(env, name))
            said = await asyncio.to_thread(wait_for_log, process, pattern.partition(".")[0])
            pods[name] = process, re.findall(pattern, said)[-1]

        def all_are_ready() -> bool:
            return all(probe(port, "/ready")[0] == 200 for _, port in pods.values())

        await until(all_are_ready)
        broker.send_signal(signal.SIGSTOP)
        try:
            # The worker's and the router's readiness have half a minute's patience; that they know is seen before.
            await until(lambda: "no broker answers" in str(probe(pods["worker"][1], "/ready")[1]["problem"]))
            await until(lambda: "no broker answers" in str(probe(pods["router"][1], "/ready")[1]["problem"]))
            await until(lambda: probe(pods["gateway"][1], "/ready")[0] == 503)
            alive = {name: (probe(port, "/live")[0], process.poll()) for name, (process, port) in pods.items()}
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert alive == dict.fromkeys(LISTENING, (200, None))
        await until(all_are_ready)
        async with AsyncClient(settings_of(env)) as client:
            [result] = await client.verify(
                [ProofRequest(custom_id="after", proof="theorem t : 1 = 1 := rfl")], timeout=300
            )
        assert result.reason is Reason.OK
