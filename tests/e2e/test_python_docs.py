"""The examples of docs/python.md and of the README run as they stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from command import make_environment, serving_worker, started, wait_for_log
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.any_broker


@pytest.fixture(scope="module")
def env(broker: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with serving_worker(env):
        yield env


@pytest.fixture
def gateway(env: dict[str, str]) -> Iterator[str]:
    with started(env | {"STREAMVERIFY_GATEWAY_PORT": "0", "STREAMVERIFY_LOG_FORMAT": "json"}, "gateway") as process:
        line = wait_for_log(process, '"gateway_listening"').splitlines()[-1]
        yield str(json.loads(line)["url"])


def examples(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), flags=re.DOTALL)


def run(program: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    # A file would be needed by `multiprocessing` with spawn; with fork a text will do.
    # On a machine under load three thousand proofs may take longer than the page allows them.
    argv = [sys.executable, "-c", re.sub(r"timeout=\d+", "timeout=300", program)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=350, check=False)


def test_the_examples_of_the_page_run(env: dict[str, str], gateway: str) -> None:
    programs = [program.replace("http://localhost:8000", gateway) for program in examples("docs/python.md")]
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(lambda program: run(program, env), programs))
    assert [each.stderr for each in ran if each.returncode] == []
    said = [each.stdout.splitlines() for each in ran]
    assert "b   verified  ok                 0." in said[0][2]
    assert said[0][4].startswith("a verified ok Lean accepted the whole file")
    assert said[1][1].startswith("verified")
    assert said[2] == ["3000"]
    assert said[3][1] == "verified"
    assert said[4] == ["1 2", "0 verified", "3"]
    assert said[5] == ["[1.0, 1.0]"]
    assert said[6][0].startswith("1 None {")


def test_the_example_of_the_readme_runs(env: dict[str, str]) -> None:
    [example] = examples("README.md")
    ran = run(example, env)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [line.split()[:3] for line in ran.stdout.splitlines()[1:3]] == [
        ["true", "verified", "ok"],
        ["sum", "verified", "ok"],
    ]
