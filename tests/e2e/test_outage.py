"""An outage as an operator sees it: one line when it begins, one when it is over, and words at /ready meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from command import end, environment, make_environment, settings_of, started, wait_for_log

from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest, Reason

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping


PROOF = "theorem t : 1 = 1 := rfl -- synthetic: service="


async def said(process: subprocess.Popen[str], word: str) -> str:
    return await asyncio.to_thread(wait_for_log, process, word)


def ready(port: str) -> dict[str, object]:
    """What `/ready` says, whatever its status."""
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        body: dict[str, object] = json.load(answer)
    return body


async def verified(env: Mapping[str, str], name: str, seconds: float) -> bool:
    async with AsyncClient(settings_of(env)) as client:
        [result] = await client.verify([ProofRequest(custom_id=name, proof=f"{PROOF}{seconds}")], timeout=300)
    return result.reason is Reason.OK


async def test_a_broker_that_hangs_is_said_once_and_its_return_too() -> None:
    with started(environment(), "broker") as broker:
        assert broker.stdout is not None
        address = re.search(r"127\.0\.0\.1:\d+", await asyncio.to_thread(broker.stdout.readline))
        assert address is not None
        env = make_environment(address[0], real=False)
        with started(env, "worker") as worker:
            log = await said(worker, "partitions_restored")
            port = re.findall(r"http_listening.* port=(\d+)", log)[0]
            assert await verified(env, "before", 0)
            # A commit that is under way would fail, rightly.
            while (await asyncio.to_thread(ready, port))["in_flight"]:
                await asyncio.sleep(0.02)
            broker.send_signal(signal.SIGSTOP)
            try:
                log = await said(worker, "no_broker_answers")
                body = await asyncio.to_thread(ready, port)
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            assert f"no broker answers at {address[0]} since 20" in str(body["problem"])
            log += await said(worker, "broker_answers_again")
            assert await verified(env, "after", 0)
            body = await asyncio.to_thread(ready, port)
            assert (body["problem"], body["answered"]) == (None, {"verified": 2, "rejected": 0, "inconclusive": 0})
            _, rest = await asyncio.to_thread(end, worker)
    assert worker.returncode == 0
    assert (log + rest).count("no_broker_answers") == 1
    assert not re.findall(r"commit_failed|publish_failed|fetch_failed|restore_failed", log + rest)
    assert re.search(r" worked .*verified=2", rest)
