"""What Kubernetes does to pods, done to processes on a real Kafka under load: nothing is lost, and nothing done twice.

A kubelet runs the preStop command, sends SIGTERM, goes on asking the probes, and kills what is left after the grace
period. The StatefulSet starts a pod again under its name when the one before it is gone and the others are ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import kafka_records
import pytest
from command import descendants, make_environment, started, wait_for_log

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

pytestmark = [pytest.mark.kafka]

PROOF = "theorem t : 1 = 1 := rfl -- synthetic: service="
_PAUSE = 0.05
"""Seconds between two questions: the processes of the test need the machine more than the test does."""
GRACE = 90.0
"""The chart's terminationGracePeriodSeconds for a drain of 60 s."""


@pytest.fixture(scope="module")
def env(kafka: str) -> dict[str, str]:
    given = {"DRAIN_TIMEOUT": "60", "SESSION_TIMEOUT_MS": "45000", "GATEWAY_PORT": "0"}
    return make_environment(kafka, real=True) | {PREFIX + name: value for name, value in given.items()}


def get(port: str, path: str) -> tuple[int | None, Any]:
    """The status and the JSON of an answer; no status where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=300) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, urllib.error.URLError):
        return None, b""


@dataclass
class Probes:
    """Asks /ready and then /live of a process again and again, as a kubelet does, until the block ends."""

    port: str
    ready: list[int | None] = field(default_factory=list)
    live: list[int | None] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(_PAUSE):
            self.ready.append(get(self.port, "/ready")[0])
            self.live.append(get(self.port, "/live")[0])


class Pod:
    """A process that is started and ended as the container of a pod."""

    def __init__(self, env: Mapping[str, str], command: str, name: str) -> None:
        self._env = dict(env) | {PREFIX + "GROUP_INSTANCE_ID": name}
        self._command = command
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        """Start it, and wait until its readiness probe succeeds."""
        self.process = self._stack.enter_context(started(self._env, self._command))
        word, pattern = (
            ("gateway_listening", r"url=\S+:(\d+)") if self._command == "gateway" else ("http_listening", r"port=(\d+)")
        )
        [self.port] = re.findall(rf"{word}.*{pattern}", wait_for_log(self.process, word))
        while get(self.port, "/ready")[0] != 200:
            time.sleep(_PAUSE)
            assert self.process.poll() is None, self.process.communicate()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(get(self.port, "/ready")[1])
        return found

    def rebalances(self) -> float:
        [count] = re.findall(
            r"^streamverify_rebalances_total (\S+)$", get(self.port, "/metrics")[1].decode(), re.MULTILINE
        )
        return float(count)

    def end(self, *, before: Callable[[], object] = lambda: None, draining: Callable[[], object] | None = None) -> str:
        """End it as a kubelet does, and look at its probes meanwhile.

        Args:
            before: What happens before SIGTERM, while the preStop command runs.
            draining: What happens once the probes have seen that it drains; without it they may miss a short drain.

        Returns:
            What it logged.
        """
        with Probes(self.port) as probes:
            before()
            assert set(probes.ready) <= {200}
            asked = len(probes.ready)
            self.process.send_signal(signal.SIGTERM)
            if draining is not None:
                while (503, 200) not in zip(probes.ready, probes.live, strict=False):
                    time.sleep(_PAUSE)
                    assert self.process.poll() is None, self.process.communicate()
                draining()
            try:
                _, log = self.process.communicate(timeout=GRACE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        assert self.process.returncode == 0, log
        # One question was under way when the signal came. Nobody listens at the very end.
        assert set(probes.ready[asked + 1 :]) <= {503, None}
        # No kubelet would have killed it for its liveness.
        assert set(probes.live) <= {200, None}
        return log

    def wait_until_busy(self) -> None:
        """Wait until a worker runs proofs in both of its slots."""
        while self.state()["running"] < 2:
            time.sleep(_PAUSE)
            assert self.process.poll() is None, self.process.communicate()

    def close(self) -> None:
        self._stack.close()


@contextlib.contextmanager
def pods(env: Mapping[str, str], command: str, count: int) -> Iterator[list[Pod]]:
    """Pods of a StatefulSet, started beside each other (podManagementPolicy: Parallel) and ready."""
    made = [Pod(env, command, f"lean.{command}-{number}") for number in range(count)]
    threads = [threading.Thread(target=pod.start) for pod in made]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield made
    finally:
        for pod in made:
            pod.close()


@contextlib.contextmanager
def frozen_repls(worker: Pod) -> Iterator[Callable[[], None]]:
    """The worker's REPLs stand still until the function is called: proofs that last, however busy this machine is."""
    repls = descendants(worker.process.pid)

    def signal_all(number: signal.Signals) -> None:
        for pid in repls:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    signal_all(signal.SIGSTOP)
    try:
        yield partial(signal_all, signal.SIGCONT)
    finally:
        signal_all(signal.SIGCONT)


def proofs(count: int, seconds: float) -> dict[str, bytes]:
    """Requests by custom_id."""
    ids = [f"{uuid.uuid4().hex[:8]}-{number}" for number in range(count)]
    return {each: json.dumps({"custom_id": each, "proof": f"{PROOF}{seconds}"}).encode() for each in ids}


async def assert_each_once(env: Mapping[str, str], sent: set[str]) -> None:
    found = await kafka_records.results(env, sent)
    assert {str(result.status) for result in found.values()} == {"verified"}
    records = await kafka_records.read(env, "RESULT_TOPIC", len(sent))
    keys = Counter((record.key or b"").decode() for record in records)
    assert {key: count for key, count in keys.items() if key in sent and count != 1} == {}


def ask(pod: Pod) -> tuple[int, Any]:
    """Ask a gateway for a verdict; the status, and what it says of the one proof."""
    body = json.dumps({"codes": [{"custom_id": 1, "proof": f"{PROOF}0.1"}]}).encode()
    url = f"http://127.0.0.1:{pod.port}/verify"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310 - the same
            return answer.status, json.load(answer)["results"][0]["streamverify"]["status"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["detail"]


def test_a_gateway_that_ends_answers_what_it_holds_and_refuses_nobody_before(env: dict[str, str]) -> None:
    with (
        pods(env, "worker", 1) as [worker],
        pods(env, "gateway", 2) as [leaving, staying],
        ThreadPoolExecutor(12) as pool,
    ):
        with frozen_repls(worker) as thaw:
            held = [pool.submit(ask, leaving) for _ in range(8)]

            def pause() -> None:
                # The preStop command lasts until everybody knows that nothing is to be sent there any more; who does
                # not know yet is answered as ever.
                held.append(pool.submit(ask, leaving))
                worker.wait_until_busy()
                while json.loads(get(leaving.port, "/v1/status")[1])["requests"] < len(held):
                    time.sleep(_PAUSE)

            def draining() -> None:
                assert ask(leaving) == (503, "this gateway is being stopped")
                held.append(pool.submit(ask, staying))
                thaw()

            leaving.end(before=pause, draining=draining)
        assert [each.result() for each in held] == [(200, "verified")] * 10


async def test_a_rolling_update_of_workers_loses_nothing_and_rebalances_nobody(env: dict[str, str]) -> None:
    sent: set[str] = set()
    with pods(env, "worker", 2) as workers:
        for pod in reversed(workers):
            others = [each for each in workers if each is not pod]
            load = proofs(120, 0.05) | proofs(6, 1)
            with frozen_repls(pod) as thaw:
                await kafka_records.send(env, list(load.values()), key=None)
                sent |= load.keys()
                rebalances = [await asyncio.to_thread(other.rebalances) for other in others]
                log = await asyncio.to_thread(pod.end, before=pod.wait_until_busy, draining=thaw)
            assert " drained " in log
            await asyncio.to_thread(pod.start)
            assert [await asyncio.to_thread(other.rebalances) for other in others] == rebalances
        await assert_each_once(env, sent)


async def test_a_router_that_is_replaced_forwards_everything_once(env: dict[str, str]) -> None:
    load = proofs(300, 0)
    ingest = env | {PREFIX + "REQUEST_TOPIC": env[PREFIX + "INGEST_TOPIC"]}
    started_with = len(await kafka_records.read(env, "REQUEST_TOPIC", 0))
    with pods(env, "router", 1) as [router]:
        sending = asyncio.create_task(kafka_records.send(ingest, list(load.values()), key=None))
        while not (await asyncio.to_thread(router.state))["forwarded"]:
            await asyncio.sleep(_PAUSE)
        log = await asyncio.to_thread(router.end)
        assert " drained " in log
        await sending
        await asyncio.to_thread(router.start)
        records = await kafka_records.read(env, "REQUEST_TOPIC", started_with + len(load))
        ids = Counter(json.loads(record.value or b"{}")["custom_id"] for record in records)
        while set(load) - ids.keys():
            records = await kafka_records.read(env, "REQUEST_TOPIC", len(records) + 1)
            ids = Counter(json.loads(record.value or b"{}")["custom_id"] for record in records)
    assert {each: ids[each] for each in load if ids[each] != 1} == {}
