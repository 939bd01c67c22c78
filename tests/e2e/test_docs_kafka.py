"""The commands of the documentation, typed page by page as they stand there, on a real Apache Kafka.

tests/handbook/runs.py has what a page needs, and which commands are run elsewhere or not at all.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from command import environment, run_command, started, wait_for_log
from handbook.runs import STAGES, Stage, staged
from kafka_broker import free_port
from support import ROOT

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

PATIENCE = 500
TOPICS = ("REQUEST_TOPIC", "RESULT_TOPIC", "DLQ_TOPIC", "INGEST_TOPIC", "GROUPS_TOPIC")


def settings_for(name: str, servers: str) -> dict[str, str]:
    """The environment of a page: topics and a group of its own, the stand-in for Lean, free ports."""
    topics = {topic: f"{name}.{topic.lower()}" for topic in TOPICS}
    env = environment(
        BOOTSTRAP_SERVERS=servers,
        GROUP_ID=name,
        REPL="synthetic",
        REQUIRE="checked",
        SLOTS="1",
        HTTP_PORT=str(free_port()),
        GATEWAY_PORT=str(free_port()),
        **topics,
    )
    return env | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def shared(kafka: str) -> Iterator[dict[str, str]]:
    """The environment of the pages that start no worker: one serves their topics, and there is a dead letter."""
    env = settings_for("docs", kafka)
    made = run_command(env, "topics", "create")
    assert made.returncode == 0, made.stderr
    asyncio.run(send_no_request(kafka, env[f"{PREFIX}REQUEST_TOPIC"]))
    with started(env, "worker") as worker:
        wait_for_log(worker, "partitions_restored")
        verified = run_command(
            env, "verify", "-", stdin='{"custom_id": "first", "proof": "theorem t : 1 = 1 := rfl"}\n'
        )
        assert verified.returncode == 0, verified.stderr
        while '"offset"' not in run_command(env, "dlq", "list", "--json").stdout:
            assert worker.poll() is None
        yield env


async def send_no_request(servers: str, topic: str) -> None:
    """Put a record on the topic that nobody can answer."""
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    await producer.send_and_wait(topic, b"theorem t : True := trivial")
    await producer.stop()


def script(page: str, stage: Stage, names: Mapping[str, str]) -> str:
    """What is typed, in one shell: after each command its exit code goes into `codes`, what it said into a file.

    A command that runs on is put into the background, and waited for until it says what it says when it is ready.
    """
    lines = []
    for number, command in enumerate([*stage.before, *(each.command for each in staged(page))]):
        typed = command
        for ours in (stage.replaced, names):
            for name, value in ours.items():
                typed = typed.replace(name, value)
        said = f"said.{number}"
        if command in stage.until:
            until = stage.until[command]
            lines.append(f"( exec {typed} ) > {said} 2>&1 &")
            if until:
                lines.append(f"until grep -q -- '{until}' {said} || ! kill -0 $!; do sleep 0.1; done")
            lines.append("kill -0 $!")
        else:
            lines.append(f"{{\n{typed}\n}} > {said} 2>&1")
        lines.append(f'echo "{number} $?" >> codes')
    lines.append("kill $(jobs -p) 2> /dev/null\nwait")
    return "\n".join(lines) + "\n"


def type_page(page: str, env: Mapping[str, str], folder: Path) -> list[str]:
    """Type the commands of a page in a folder of its own.

    Returns:
        What went wrong: a command that ended otherwise than the page says, with what it said.
    """
    stage = STAGES[page]
    folder.mkdir()
    for name, text in stage.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    for text in re.findall(r"Save this as `.*?```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL):
        (folder / "first.py").write_text(text, "utf-8")
    ports = {name: env[f"{PREFIX}{setting}_PORT"] for name, setting in (("worker", "HTTP"), ("gateway", "GATEWAY"))}
    names = {f"{{{name}}}": f"127.0.0.1:{port}" for name, port in ports.items()}
    names["{servers}"] = env[f"{PREFIX}BOOTSTRAP_SERVERS"]
    done = subprocess.run(
        ["/bin/bash", "-c", script(page, stage, names)],
        cwd=folder,
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    codes = dict(map(str.split, (folder / "codes").read_text("utf-8").splitlines()))
    commands = [*stage.before, *(each.command for each in staged(page))]
    wrong = [
        f"{page}: `{command}` ended with {codes.get(str(number))}: {(folder / f'said.{number}').read_text('utf-8')}"
        for number, command in enumerate(commands)
        if codes.get(str(number)) != str(stage.codes.get(command, 0))
    ]
    return [*wrong, done.stderr] if wrong else []


def test_every_page_can_be_typed(kafka: str, shared: dict[str, str], tmp_path: Path) -> None:
    def run(page: str) -> list[str]:
        name = re.sub(r"\W", "-", page)
        env = settings_for(f"docs.{name}", kafka) if STAGES[page].whole else shared
        if "streamverify table" in STAGES[page].until:
            env = shared | {f"{PREFIX}HTTP_PORT": str(free_port())}
        return type_page(page, env, tmp_path / name)

    # The longest first; each of them mostly waits.
    pages = sorted(STAGES, key=lambda page: -len(staged(page)))
    with ThreadPoolExecutor(4) as pool:
        assert [wrong for each in pool.map(run, pages) for wrong in each] == []
    tutorial = tmp_path / "docs-tutorial-md"
    rows = (tutorial / "verdicts.csv").read_text("utf-8").splitlines()
    assert len(rows) == 101
    assert json.loads((tutorial / "verdicts.jsonl").read_text("utf-8").splitlines()[0])["status"] == "verified"
    assert (tutorial / "report" / "report.html").is_file()
