"""Record what the commands print: a small day with streamverify, on a real Kafka. `make transcripts` runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaProducer
from command import environment
from kafka_broker import real_broker
from support import ROOT

from handbook.commands import RECORDED, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT = 180.0
_THEOREM = "theorem two : 1 + 1 = 2 := rfl\n"
_WRONG = "theorem two : 1 + 1 = 3 := by\n  -- synthetic: error\n  rfl\n"
FILES = {
    "good.lean": _THEOREM,
    "bad.lean": "theorem three : 1 + 1 = 3 := by\n  -- synthetic: error\n  rfl\n",
    "many.jsonl": "".join(json.dumps({"custom_id": f"p{n}", "proof": _THEOREM}) + "\n" for n in range(1, 4)),
    "problems.jsonl": "".join(
        json.dumps({"problem_id": f"q{n}", "proofs": [_THEOREM, _WRONG]}) + "\n" for n in range(1, 4)
    ),
    "crash.lean": "theorem crash : True := by\n  -- synthetic: crash\n  trivial\n",
    "notes.txt": "remember the milk\n",
    "monday.jsonl": (ROOT / "tests" / "data" / "verdicts.jsonl").read_text("utf-8"),
    # The next day everything takes longer, and one more of the samples holds.
    "tuesday.jsonl": "".join(
        json.dumps(row | {"run_seconds": row["run_seconds"] and row["run_seconds"] * (4 + number % 3) / 4} | changed)
        + "\n"
        for number, line in enumerate((ROOT / "tests" / "data" / "verdicts.jsonl").read_text("utf-8").splitlines())
        for row in [json.loads(line)]
        for changed in [{"status": "verified", "reason": "ok"} if row["custom_id"] == "p3#1" else {}]
    ),
}
"""The files that lie in the folder. The stand-in for Lean does what a comment `-- synthetic:` tells it."""


class Step(NamedTuple):
    """What is typed. `command` is the section of the page. What would run on is ended once it has printed `until`."""

    command: str
    line: str
    until: str = ""


# Output is cut at the end of a line only: what stands at a certain byte depends on the digits before it, and a note on
# stderr would go on where stdout stopped.
DAY = [
    Step("demo", "streamverify demo --repl replay | tail -n 22"),
    Step("broker", "streamverify broker", until="cannot be configured"),
    Step("topics create", "streamverify topics create --partitions 4"),
    Step("topics describe", "streamverify topics describe"),
    Step("doctor", "streamverify doctor"),
    Step("config", "streamverify config | grep -v default"),
    Step("worker", "streamverify worker", until="worker_started"),
    Step("verify", "streamverify verify good.lean bad.lean"),
    Step("verify", "streamverify verify good.lean --json | jq '{custom_id, status, reason, summary}'"),
    Step("produce", "streamverify produce many.jsonl crash.lean"),
    Step("produce", "streamverify produce notes.txt"),
    Step("offsets", "streamverify offsets"),
    Step("workers", "streamverify workers"),
    # Which slot has a process by now, and how long it took, is another one in each run: docs/top.md has a picture.
    Step("top", "streamverify top --once --json | jq '{group_state, totals: .totals | {workers, ready, slots}}'"),
    Step("status", "streamverify status"),
    Step("retry", "streamverify retry --since 1h --dry-run"),
    Step("results", "streamverify results"),
    Step("results", "streamverify results --status inconclusive --csv"),
    Step("dlq list", "streamverify dlq list"),
    Step("dlq show", "streamverify dlq show 0:0"),
    Step("dlq replay", "streamverify dlq replay 0:0 --dry-run"),
    Step("replay", "streamverify replay problems.jsonl --output verdicts.jsonl --run monday"),
    Step("export", "streamverify export --run monday --output exported.jsonl"),
    Step("router", "streamverify router", until="router_started"),
    Step("table", "streamverify table", until="table_restored"),
    Step("cancel", "streamverify cancel --run monday --dry-run"),
    Step("cancel", "streamverify cancel --run monday"),
    Step("delete", "streamverify delete --prefix p --dry-run"),
    Step("gateway", "streamverify gateway --gateway-port 0", until="checked_only"),
    Step(
        "serve",
        "env -u STREAMVERIFY_BOOTSTRAP_SERVERS streamverify serve --gateway-port 0",
        until="The worker is ready",
    ),
    Step("report", "streamverify report monday.jsonl --slots 2 --title 'ten problems, Monday'"),
    Step("report", "streamverify report monday.jsonl tuesday.jsonl"),
    Step("schema", "streamverify schema proof-request | head -n 14"),
]
"""What is typed, in order."""
ANSWERS = 6
"""Proofs that are sent in the day, all answered before `results` and `offsets` are asked."""


def normal(text: str) -> str:
    """Reduce what a command printed to what is the same in each run: no numbers, no ids, no widths of columns.

    A traceback goes as a whole: it has lines of the code, and each Python underlines them in its own way.
    """
    text = re.sub(r"^Traceback .*?\n(?=\S)", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\b[0-9a-f]{8,}\b", "#", text)
    return re.sub(r"[ \u2500-\u257f]+", " ", re.sub(r"[0-9][0-9.,:]*", "#", text)).strip()


@contextlib.contextmanager
def _running(step: Step, folder: Path, env: Mapping[str, str]) -> Iterator[Run]:
    """A command that runs on: what it has printed when it says `until`. It is ended with the block."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {step.line}"], cwd=folder, env=dict(env), stdout=said, stderr=subprocess.STDOUT
        )
        try:
            give_up = time.monotonic() + TIMEOUT
            while step.until not in (text := _all_of(said)):
                if process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"`{step.line}` never said {step.until!r}: {text}")
                time.sleep(0.1)
            yield Run(step.line, text, 0)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT)


def _all_of(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode("utf-8")
    return text


def _finished(step: Step, folder: Path, env: Mapping[str, str]) -> Run:
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", step.line],
        cwd=folder,
        env=dict(env),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        check=False,
    )
    return Run(step.line, done.stdout, done.returncode)


def _wait_for_answers(folder: Path, env: Mapping[str, str], count: int) -> None:
    give_up = time.monotonic() + TIMEOUT
    while True:
        said = _finished(Step("", "streamverify results --json"), folder, env).output
        if len({json.loads(line)["custom_id"] for line in said.splitlines() if line.startswith("{")}) >= count:
            return
        if time.monotonic() > give_up:
            raise RuntimeError(f"the worker does not answer: {said}")


async def _send_no_request(servers: str) -> None:
    """Put a record on the topic that nobody can answer."""
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    await producer.send_and_wait("lean.proofs", b"theorem t : True := trivial", key=b"from elsewhere")
    await producer.stop()


def record(servers: str, day: list[Step]) -> dict[str, list[Run]]:
    """Type everything of `day`, and return what was printed, by command.

    Raises:
        RuntimeError: A command did not come as far as it should.
    """
    runs: dict[str, list[Run]] = {}
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        for file, text in FILES.items():
            (folder / file).write_text(text, "utf-8")
        settings = environment(BOOTSTRAP_SERVERS=servers, REPL="synthetic", REQUIRE="checked", SLOTS="2")
        env = settings | {"COLUMNS": "100", "PATH": f"{programs}:{os.environ['PATH']}", "HOME": name}
        for step in day:
            if step.until:
                # Only the worker is needed by what follows.
                keep = stack if step.command == "worker" else contextlib.ExitStack()
                run = keep.enter_context(_running(step, folder, env))
                if keep is not stack:
                    keep.close()
            else:
                if step.command in {"results", "offsets"}:
                    _wait_for_answers(folder, env, ANSWERS)
                run = _finished(step, folder, env)
            if step.command == "worker":
                asyncio.run(_send_no_request(servers))
            # Where this was recorded does not matter to a reader.
            said = run.output.replace(str(ROOT), "/srv/streamverify").replace(socket.gethostname(), "host")
            runs.setdefault(step.command, []).append(run._replace(output=said))
    return runs


def main() -> None:
    """Record the day and write it down."""
    with real_broker() as servers:
        runs = record(servers, DAY)
    written = {command: [run._asdict() for run in of_one] for command, of_one in runs.items()}
    RECORDED.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
