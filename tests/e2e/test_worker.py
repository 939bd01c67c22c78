"""A worker process on a broker: each reason, dead letters, foreign producers, drain, health."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import stat
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
from command import (
    descendants,
    end,
    make_environment,
    serving_worker,
    settings_of,
    started,
    wait_for_log,
    wait_until_gone,
)

from streamverify.bus.consumer import POLL_RECORDS
from streamverify.client import AsyncClient
from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.messages.models import LEAN_ANSWERED, OUTCOMES, Assurance, ProofRequest, Reason
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

PROOF = "theorem t : 1 = 1 := rfl"
SYNTHETIC = f"{sys.executable} -m streamverify.standins.synthetic"
IMPORTS = "--import Slow=9:hang --import Gone=0:fail --import Dies=0:crash"
LARGEST = 20_000


def proof(directive: str, header: str = "") -> str:
    return f"{header}\n{PROOF} -- synthetic: {directive}\n"


REQUESTS: dict[Reason, dict[str, Any]] = {
    Reason.OK: {"proof": PROOF},
    Reason.LEAN_ERROR: {"proof": proof("error")},
    Reason.SORRY: {"proof": proof("sorry")},
    Reason.HEADER_ERROR: {"proof": "import 5\n"},
    Reason.INVALID_REQUEST: {"proof": PROOF, "timeout": "soon"},
    Reason.TIMEOUT: {"proof": proof("hang"), "timeout": 0.3},
    Reason.IMPORT_TIMEOUT: {"proof": proof("", "import Slow")},
    Reason.IMPORT_FAILED: {"proof": proof("", "import Gone")},
    Reason.PROTOCOL_VIOLATION: {"proof": proof("exit=3")},
    Reason.OUT_OF_MEMORY: {"proof": proof("oom")},
    Reason.REPL_CRASH: {"proof": proof("crash")},
    Reason.EXPIRED: {"proof": PROOF, "deadline": "2020-01-01T00:00:00Z"},
    Reason.TOO_LARGE: {"proof": PROOF + " -- " + "x" * LARGEST},
    Reason.UNSUPPORTED: {"proof": PROOF, "require": "audited"},
}
"""What brings each reason about that one worker with the synthetic REPL can give."""


@pytest.fixture(scope="module")
def env(broker: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Topics of this module's, and a REPL whose imports fail in every way."""
    return make_environment(broker, real=request.config.getoption("--kafka")) | {
        PREFIX + "REPL": f"synthetic {IMPORTS}",
        PREFIX + "IMPORT_TIMEOUT": "1",
        PREFIX + "MAX_PROOF_BYTES": str(LARGEST),
    }


@pytest.fixture(scope="module")
def served(env: dict[str, str]) -> Iterator[dict[str, str]]:
    """The same, with a worker."""
    with serving_worker(env):
        yield env


@pytest.fixture
def fresh(broker: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Topics of one test's own."""
    # The embedded broker lets a second worker in only when the session of the first is over.
    return make_environment(broker, real=request.config.getoption("--kafka")) | {PREFIX + "SESSION_TIMEOUT_MS": "6000"}


@contextlib.contextmanager
def worker(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with started(env, "worker") as process:
        yield process


async def joined(process: subprocess.Popen[str]) -> str:
    """Wait until the worker has its partitions; what it logged until then."""
    return await asyncio.to_thread(wait_for_log, process, "partitions_restored")


def get(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=300) as answer:  # noqa: S310 - loopback, made here
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def url_in(log: str) -> str:
    """The address that a worker has logged."""
    port = re.search(r"port=(\d+)", log)
    assert port is not None
    return f"http://127.0.0.1:{port[1]}"


async def ready_says(log: str, name: str, least: int) -> None:
    """Wait until `/ready` of the worker that logged this says at least so much under a name."""
    async with asyncio.timeout(120):
        while (await asyncio.to_thread(get, url_in(log) + "/ready"))[1][name] < least:
            await asyncio.sleep(0.05)


async def test_each_reason_with_its_status_and_whether_to_try_again(served: dict[str, str]) -> None:
    bodies = [{"custom_id": reason, **fields} for reason, fields in REQUESTS.items()]
    await kafka_records.send(served, [json.dumps(body).encode() for body in bodies])
    found = await kafka_records.results(served, set(REQUESTS))
    for reason in REQUESTS:
        result = found[reason]
        # It crashed alike in a fresh process, and would do so anywhere.
        retriable = OUTCOMES[reason].retriable and reason is not Reason.REPL_CRASH
        assert (result.reason, result.status, result.retriable) == (reason, OUTCOMES[reason].status, retriable)
        assert result.verifier.kind == "synthetic"
        assert result.summary
        # Of this header_error Lean was never asked.
        assert (result.error is None) == (reason in LEAN_ANSWERED - {Reason.HEADER_ERROR})
        assert (result.error is None) != (result.response is None)
        assert result.assurance == (Assurance.CHECKED if reason is Reason.OK else Assurance.NONE)
    assert found[Reason.REPL_CRASH].attempts == found[Reason.OUT_OF_MEMORY].attempts == 2


@pytest.mark.any_broker
async def test_the_replay_repl_says_what_it_has_no_recording_of(fresh: dict[str, str]) -> None:
    with worker(fresh | {PREFIX + "REPL": "replay"}):
        async with AsyncClient(settings_of(fresh)) as client:
            [result] = await client.verify([ProofRequest(custom_id="a", proof=PROOF)], timeout=300)
    assert (result.reason, result.retriable) == (Reason.NO_RECORDING, True)
    assert result.verifier.kind == "replay"


@pytest.mark.any_broker
async def test_a_repl_that_can_no_longer_be_started_is_the_workers_error(fresh: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "repl"
    script.write_text(f'#!/bin/sh\nrm -f "$0"\nexec {SYNTHETIC}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    # A script counts as a Lean until it has said that it is a stand-in; in the sandbox it could not remove itself.
    env = {PREFIX + "REPL": str(script), PREFIX + "SANDBOX": "none"}
    with worker(fresh | env):
        async with AsyncClient(settings_of(fresh)) as client:
            [result] = await client.verify([ProofRequest(custom_id="a", proof=PROOF)], timeout=300)
    assert (result.reason, result.status, result.retriable) == (Reason.WORKER_ERROR, "inconclusive", True)
    # However it was started: what it is, it says itself.
    assert result.verifier.kind == "synthetic"


@pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
async def test_records_in_every_codec_are_read(served: dict[str, str], compression: str) -> None:
    names = {f"{compression}-{number}" for number in range(20)}
    values = [json.dumps({"custom_id": name, "code": PROOF}).encode() for name in sorted(names)]
    await kafka_records.send(served, values, compression=compression)
    found = await kafka_records.results(served, names)
    assert {found[name].reason for name in names} == {Reason.OK}


async def test_kafka_headers_and_metadata_come_back_as_sent(served: dict[str, str]) -> None:
    value = {"custom_id": "headers", "proof": PROOF, "metadata": {"n": 2**70, "deep": [{}]}, "unknown": 1}
    await kafka_records.send(served, [json.dumps(value).encode()], kafka_headers=[("trace", b"1"), ("trace", b"\xff")])
    before = await kafka_records.results(served, {"headers"})
    records = await kafka_records.read(served, "RESULT_TOPIC", len(before))
    [record] = [record for record in records if record.key == b"headers"]
    assert [pair for pair in record.headers if pair[0] == "trace"] == [("trace", b"1"), ("trace", b"\xff")]
    assert ("streamverify-status", b"verified") in record.headers
    assert json.loads(record.value or b"")["metadata"] == value["metadata"]


async def test_a_record_without_a_custom_id_becomes_a_dead_letter_and_blocks_nothing(fresh: dict[str, str]) -> None:
    values = [b"not JSON", b"{}", b'{"custom_id": "", "proof": ""}', b"[" * 100_000, b"\xff\xfe", b"", None]
    headers = [("trace", b"\x00")]
    with worker(fresh):
        await kafka_records.send(fresh, values, kafka_headers=headers)
        good = json.dumps({"custom_id": "after", "proof": PROOF}).encode()
        await kafka_records.send(fresh, [good])
        await kafka_records.results(fresh, {"after"})
        records = await kafka_records.read(fresh, "DLQ_TOPIC", len(values))
    assert sorted((record.value for record in records), key=repr) == sorted(values, key=repr)
    for record in records:
        letter = DeadLetter.from_record(key=record.key, value=record.value, kafka_headers=record.headers)
        assert list(letter.kafka_headers) == headers
        assert record.key == b"key"
        assert letter.stage == "decode"
        assert letter.source.topic == fresh[PREFIX + "REQUEST_TOPIC"]
        assert letter.message


async def test_on_sigterm_running_proofs_are_finished_and_committed(fresh: dict[str, str]) -> None:
    env = fresh | {PREFIX + "DRAIN_TIMEOUT": "30", PREFIX + "SLOTS": "1"}
    async with AsyncClient(settings_of(env)) as client:
        with worker(env) as process:
            log = await joined(process)
            await client.submit(ProofRequest(custom_id="runs", proof=proof("service=4")))
            await ready_says(log, "running", 1)
            # Sent later, so that it is not this one that runs.
            await client.submit(ProofRequest(custom_id="waits", proof=PROOF))
            _, said = await asyncio.to_thread(end, process)
            assert process.returncode == 0, said
        assert (await kafka_records.results(env, {"runs"}))["runs"].reason == Reason.OK
        with worker(env):
            await kafka_records.results(env, {"runs", "waits"})
    answered = [record.key for record in await kafka_records.read(env, "RESULT_TOPIC", 2)]
    assert set(answered) == {b"runs", b"waits"}
    assert len(answered) == 2


@pytest.mark.any_broker
@pytest.mark.parametrize("way", ["second signal", "drain limit"])
async def test_a_drain_that_is_cut_short_ends_with_130_and_leaves_no_process(fresh: dict[str, str], way: str) -> None:
    limit = "60" if way == "second signal" else "0.5"
    env = fresh | {PREFIX + "DRAIN_TIMEOUT": limit}
    with worker(env) as process:
        log = await joined(process)
        async with AsyncClient(settings_of(env)) as client:
            await client.submit(ProofRequest(custom_id="hangs", proof=proof("hang")))
        await ready_says(log, "running", 1)
        children = descendants(process.pid)
        assert children
        process.send_signal(signal.SIGINT)
        if way == "second signal":
            # Two at once would be one.
            await asyncio.to_thread(wait_for_log, process, "draining")
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
        _, said = await asyncio.to_thread(process.communicate, timeout=300)
        assert process.returncode == 130, said
        assert "Traceback" not in said
    assert wait_until_gone(children) == []


@pytest.mark.any_broker
async def test_a_worker_that_is_killed_leaves_no_repl_behind(fresh: dict[str, str]) -> None:
    with worker(fresh) as process:
        log = await joined(process)
        async with AsyncClient(settings_of(fresh)) as client:
            await client.submit(ProofRequest(custom_id="hangs", proof=proof("hang")))
        await ready_says(log, "running", 1)
        children = descendants(process.pid)
        assert children
        process.kill()
        process.wait()
        assert wait_until_gone(children) == []


@pytest.mark.any_broker
async def test_live_and_ready(fresh: dict[str, str]) -> None:
    # The block's end is the second signal, which ends the drain.
    with worker(fresh | {PREFIX + "DRAIN_TIMEOUT": "600"}) as process:
        log = await joined(process)
        url = url_in(log)
        assert await asyncio.to_thread(get, url + "/live") == (200, {"live": True})
        status, body = await asyncio.to_thread(get, url + "/ready")
        assert (status, body["ready"], body["joined"], body["draining"]) == (200, True, True, False)
        async with AsyncClient(settings_of(fresh)) as client:
            await client.submit(ProofRequest(custom_id="hangs", proof=proof("hang")))
        await ready_says(log, "running", 1)
        process.send_signal(signal.SIGTERM)
        await ready_says(log, "draining", 1)
        status, body = await asyncio.to_thread(get, url + "/ready")
        assert (status, body["ready"], body["draining"], body["running"]) == (503, False, True, 1)


async def test_a_backlog_is_taken_in_by_pausing(fresh: dict[str, str]) -> None:
    slow = proof("service=0.2")
    values = [json.dumps({"custom_id": str(number), "proof": slow}).encode() for number in range(3000)]
    await kafka_records.send(fresh, values)
    with worker(fresh) as process:
        log = await joined(process)
        await ready_says(log, "in_flight", 900)
        seen = []
        for _ in range(10):
            await asyncio.sleep(0.1)
            _, body = await asyncio.to_thread(get, url_in(log) + "/ready")
            seen.append(body["in_flight"])
    assert max(seen) <= 1000 + POLL_RECORDS


@pytest.mark.any_broker
async def test_a_port_that_is_taken_is_one_line(served: dict[str, str], fresh: dict[str, str]) -> None:
    assert served
    with worker(fresh) as process:
        port = re.search(r"port=(\d+)", await joined(process))
        assert port is not None
        with worker(fresh | {PREFIX + "HTTP_PORT": port[1]}) as second:
            _, said = await asyncio.to_thread(second.communicate, timeout=300)
    assert second.returncode == 2
    assert "STREAMVERIFY_HTTP_PORT" in said
    assert "Traceback" not in said
