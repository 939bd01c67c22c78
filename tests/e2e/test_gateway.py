"""The gateway as a process, on a broker, with a worker, called by the real clients of the servers it stands in for."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from axle import AxleClient
from axle.exceptions import AxleRuntimeError
from command import end, make_environment, run_command, serving_worker, started, wait_for_log
from kimina import AsyncKiminaClient, KiminaClient, Snippet, SnippetStatus

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

CARD = """---
dataset_info:
  features:
  - name: id
    dtype: string
  - name: code
    dtype: string
---
"""
PROOF = "theorem t : 1 = 1 := rfl"


class Served:
    """A gateway and a worker."""

    def __init__(self, env: dict[str, str], url: str) -> None:
        self.env = env
        self.url = url


def started_gateway(env: dict[str, str], **settings: str) -> Any:
    more = {PREFIX + name: value for name, value in settings.items()}
    return started(env | {PREFIX + "GATEWAY_PORT": "0", PREFIX + "LOG_FORMAT": "json"} | more, "gateway")


def address(process: subprocess.Popen[str]) -> str:
    """Where it listens; it has said so when it serves."""
    line = wait_for_log(process, '"gateway_listening"').splitlines()[-1]
    url: str = json.loads(line)["url"]
    return url


@pytest.fixture(scope="module")
def served(broker: str, request: pytest.FixtureRequest) -> Iterator[Served]:
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with serving_worker(env), started_gateway(env) as process:
        yield Served(env, address(process))


def snippets(count: int) -> list[Any]:
    return [Snippet(id=str(number), code=f"{PROOF} -- {number}") for number in range(count)]


@pytest.mark.any_broker
def test_kimina_client_checks(served: Served) -> None:
    client = KiminaClient(api_url=served.url)
    batch = [
        *snippets(40),
        Snippet(id="e", code=f"{PROOF} -- synthetic: error"),
        Snippet(id="s", code=f"{PROOF} -- synthetic: sorry"),
    ]
    results = {each.id: each.analyze().status for each in client.check(batch, show_progress=False).results}
    assert results == {
        **{str(number): SnippetStatus.valid for number in range(40)},
        "e": SnippetStatus.lean_error,
        "s": SnippetStatus.sorry,
    }
    [hangs, plain] = client.check([f"{PROOF} -- synthetic: hang", PROOF], timeout=5, show_progress=False).results
    assert hangs.analyze().status == SnippetStatus.timeout_error
    assert plain.analyze().status == SnippetStatus.valid
    assert client.health()["status"] == "ok"


@pytest.mark.any_broker
async def test_kimina_clients_asynchronous_face(served: Served) -> None:
    client = AsyncKiminaClient(api_url=served.url)
    try:
        results = (await client.check(snippets(20), show_progress=False)).results
    finally:
        await client.session.aclose()
    assert [each.analyze().status for each in results] == [SnippetStatus.valid] * 20


@pytest.mark.any_broker
def test_kimina_clients_benchmark_runs_unchanged_on_a_folder(served: Served, tmp_path: Path) -> None:
    """In a process of its own: `datasets` reads its settings when it is imported, and warns as it likes."""
    codes = [f"{PROOF} -- {'synthetic: error' if number % 4 == 0 else number}" for number in range(16)]
    rows = [json.dumps({"id": f"row{number}", "code": code}) + "\n" for number, code in enumerate(codes)]
    folder = tmp_path / "proofs"
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(rows), "utf-8")
    (folder / "README.md").write_text(CARD, "utf-8")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from kimina import KiminaClient; "
        "KiminaClient(api_url=sys.argv[2]).run_benchmark(sys.argv[3], n=16, show_progress=False)"
    )
    tests = str(Path(__file__).parent.parent)
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", program, tests, served.url, str(folder)],
        env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).replace("│", " ").split("  ")
    assert [cell.strip() for cell in cells if "%" in cell] == ["12 (75 %)", "4 (25 %)"], done.stdout


@pytest.mark.any_broker
async def test_axles_client_reaches_the_worker(served: Served) -> None:
    async with AxleClient(url=served.url) as client:
        with pytest.raises(AxleRuntimeError, match="unsupported: nothing was run: only a Lean can be audited"):
            await client.verify_proof("theorem t : 1 = 1 := sorry", PROOF, "default")


async def test_several_gateways_side_by_side_know_their_own(served: Served) -> None:
    with started_gateway(served.env) as process:
        both = [AsyncKiminaClient(api_url=served.url), AsyncKiminaClient(api_url=address(process))]
        reasons = ["fine", "synthetic: error"]
        batches = [[Snippet(id="1", code=f"{PROOF} -- {reason}")] * 1 for reason in reasons]
        found = await asyncio.gather(
            *(
                client.check(batch, show_progress=False)
                for client, batch in zip(both, batches, strict=True)
                for _ in range(20)
            )
        )
        for client in both:
            await client.session.aclose()
        statuses = [answer.results[0].analyze().status for answer in found]
        assert statuses == [SnippetStatus.valid] * 20 + [SnippetStatus.lean_error] * 20
        out, complained = end(process)
        assert process.returncode == 0, complained
        assert out == ""


def test_one_large_request(served: Served) -> None:
    codes = [{"custom_id": number % 7, "proof": f"{PROOF} -- {number}"} for number in range(3000)]
    results = httpx.post(f"{served.url}/verify", json={"codes": codes}, timeout=300).json()["results"]
    assert [each["custom_id"] for each in results] == [number % 7 for number in range(3000)]
    assert {each["streamverify"]["status"] for each in results} == {"verified"}


async def test_sigterm_answers_what_is_held_first(served: Served) -> None:
    with started_gateway(served.env, DRAIN_TIMEOUT="60") as process:
        url = address(process)
        codes = [{"custom_id": 1, "proof": f"{PROOF} -- synthetic: service=1"}]
        async with httpx.AsyncClient(timeout=300) as client:
            held = asyncio.create_task(client.post(f"{url}/verify", json={"codes": codes}))
            while not (await client.get(f"{url}/v1/status")).json()["in_flight"]:
                pass
            process.send_signal(signal.SIGTERM)
            # What is held keeps it listening: probes see that it lives, and who comes late is told so.
            while (await client.get(f"{url}/ready")).status_code == 200:
                pass
            assert (await client.get(f"{url}/live")).status_code == 200
            late = await client.post(f"{url}/verify", json={"codes": codes})
            assert (late.status_code, late.json()["detail"]) == (503, "this gateway is being stopped")
            [answer] = (await held).json()["results"]
        assert answer["streamverify"]["status"] == "verified"
        _, complained = end(process)
        assert process.returncode == 0, complained


@pytest.mark.any_broker
def test_a_port_that_is_taken_is_one_line_and_2(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_command(served.env, "gateway", "--gateway-port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1 port" in done.stderr
