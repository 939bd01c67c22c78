"""`streamverify serve`: broker, worker, gateway and page in one go."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from command import descendants, end, environment, make_environment, run_command, started, wait_until_gone

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

NODE = environment(REPL="synthetic", DRAIN_TIMEOUT="1")
PARTS = 3
"""Processes besides the REPLs: broker, worker, gateway."""
PROOF = {"proof": "import Mathlib\ntheorem t : True := trivial"}


@contextlib.contextmanager
def serving(env: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A running `serve` on a free port, whose worker is ready; its address, and what it has said."""
    with started(env, "serve", "--gateway-port", "0") as process:
        assert process.stdout is not None
        said: list[str] = []
        while not said or "worker is ready" not in said[-1]:
            line = process.stdout.readline()
            assert line, f"it ended before its worker was ready: {said}"
            said.append(line.rstrip("\n"))
        yield process, next(line.split()[-1].rstrip("/") for line in said if line.startswith("The page is at ")), said


@pytest.fixture(scope="module")
def node() -> Iterator[tuple[str, list[str]]]:
    """The address of one that several tests use, and what it has said."""
    with serving(NODE) as (_, url, said):
        yield url, said


def verify(url: str) -> Any:
    return httpx.post(f"{url}/api/page/verify", json=PROOF, timeout=300).json()


def follow(url: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Follow the events until a state is as wanted."""
    with httpx.stream("GET", f"{url}/events", timeout=300) as events:
        for line in events.iter_lines():
            if line.startswith("data: ") and wanted(state := json.loads(line.removeprefix("data: "))):
                return dict(state)
    raise AssertionError("the events have ended")


def command_of(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")
    return []


def test_it_says_what_it_is_and_serves_the_page(node: tuple[str, list[str]]) -> None:
    url, said = node
    assert said[0].startswith("streamverify serve: a broker in memory")
    assert "the stand-in synthetic, which is no Lean: nothing is checked; assurance checked" in said[1]
    assert "<title>streamverify</title>" in httpx.get(url, headers={"accept": "text/html"}).text
    assert httpx.get(url).json()["name"] == "streamverify gateway"
    verdict = verify(url)
    assert (verdict["status"], verdict["verifier"]["kind"]) == ("verified", "synthetic")
    # The page's own request, and what only the broker knows.
    state = follow(url, lambda state: state["to_do"] == 0 and state["dead_letters"] == 0)
    assert [one["custom_id"] for one in state["last"]] == ["page"]
    assert [(one["header"], one["proofs"]) for one in state["headers"]] == [("import Mathlib", 1)]
    assert state["reasons"] == {"ok": 1}


def test_ten_thousand_snippets_of_one_request_all_come_back(node: tuple[str, list[str]]) -> None:
    # All have one header and so go to one partition, of which the broker keeps 5 MB: these are 10 MB. Sent at once,
    # 4,000 records of 4 kB lost 2,700.
    snippets = [{"id": number, "code": f"theorem t : True := trivial -- {'x' * 1000}"} for number in range(10_000)]
    answer = httpx.post(f"{node[0]}/api/check", json={"snippets": snippets, "timeout": 60}, timeout=300)
    results = answer.json()["results"]
    assert [result["id"] for result in results] == list(range(10_000))
    assert [result for result in results if result.get("error") or not result.get("response")] == []


def test_a_port_that_is_taken_is_one_line(node: tuple[str, list[str]]) -> None:
    port = node[0].rpartition(":")[2]
    done = run_command(environment(REPL="synthetic"), "serve", "--gateway-port", port)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"port {port}" in line
    assert "0 takes a free port" in line
    assert done.stdout == ""


def test_without_lean_nothing_is_started(tmp_path: Path) -> None:
    done = run_command(environment(LEAN_HOME=str(tmp_path)), "serve", "--gateway-port", "0")
    assert done.returncode == 4
    assert done.stdout == ""
    assert "setup_lean.sh" in done.stderr


def test_a_second_one_works_beside_it_and_ends_with_all_its_processes(node: tuple[str, list[str]]) -> None:
    with serving(NODE) as (process, url, _):
        assert verify(url)["status"] == verify(node[0])["status"] == "verified"
        # A page that is open does not keep it from ending.
        with httpx.stream("GET", f"{url}/events", timeout=300) as events:
            next(events.iter_lines())
            children = descendants(process.pid)
            assert len(children) >= PARTS
            _, errors = end(process, signal.SIGINT)
    assert process.returncode == 0
    assert "interrupted; everything that it started has been stopped" in errors
    assert wait_until_gone(children, 0) == []
    assert verify(node[0])["status"] == "verified"


@pytest.mark.any_broker
def test_a_second_signal_ends_it_although_a_proof_runs(broker: str, request: pytest.FixtureRequest) -> None:
    # On a Kafka of one's own it drains for as long as a worker does: longer than anybody waits here.
    env = make_environment(broker, real=request.config.getoption("--kafka")) | environment(DRAIN_TIMEOUT="600")
    slow = {"proof": "theorem t : True := trivial -- synthetic: service=500"}
    with serving(env) as (process, url, _), ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: httpx.post(f"{url}/api/page/verify", json=slow, timeout=300))
        follow(url, lambda state: state["in_flight"] == 1)
        children = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        # The gateway takes nothing new when it drains.
        while accepts(url):
            pass
        _, errors = end(process, signal.SIGINT)
    assert "everything that it started has been stopped" in errors
    assert wait_until_gone(children) == []


def accepts(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_killed_it_takes_its_processes_along() -> None:
    with serving(NODE) as (process, _, _):
        children = descendants(process.pid)
        end(process, signal.SIGKILL)
        assert wait_until_gone(children) == []


def test_where_a_part_dies_all_end() -> None:
    with serving(NODE) as (process, _, _):
        children = descendants(process.pid)
        [worker] = [pid for pid in children if command_of(pid)[-2:-1] == ["worker"]]
        os.kill(worker, signal.SIGKILL)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 4
    assert "error: the worker ended unexpectedly (signal SIGKILL)" in errors
    assert wait_until_gone(children) == []


def test_with_kafka_given_it_uses_that(broker: str, request: pytest.FixtureRequest) -> None:
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with serving(env) as (process, url, said):
        assert f"on Kafka at {broker}" in said[0]
        assert [pid for pid in descendants(process.pid) if "broker" in command_of(pid)] == []
        assert verify(url)["status"] == "verified"
