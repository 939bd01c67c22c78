"""`python -m rolling --old TREE`: replace workers one by one under load, and back; count what was repeated.

TREE is a checkout of an older version (`git worktree add TREE COMMIT`, or `git archive`), whose code runs with the
libraries of this one; the newer version is this tree. With `--future` the older version is this tree and the newer one
`tests/fakes/future_worker.py`, which writes formats that this one does not know. Not part of CI: tests/e2e has a
compact form. Exit code 0: each proof has its right verdict.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from command import make_environment, run_command
from kafka_broker import real_broker
from support import ROOT

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FUTURE = ROOT / "tests" / "fakes" / "future_worker.py"
EVENTS = (
    "offset_map_ignored",
    "partitions_quarantined",
    "announcement_not_understood",
    "dead_letter",
    "versions_differ",
)
PATIENCE = 120.0


class Member:
    """One place in the group, with a name that stays."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._env = {**env, PREFIX + "GROUP_INSTANCE_ID": name, PREFIX + "DRAIN_TIMEOUT": "30"}
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, version: tuple[Sequence[str], Path]) -> None:
        """Start this version, and wait until it has its partitions."""
        argv, tree = version
        seen = self.said().count("partitions_restored")
        env = {**self._env, "PYTHONPATH": str(tree)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it does not block for long
                [sys.executable, *argv, "worker"], env=env, cwd=tree, stdout=log, stderr=log
            )
        give_up = time.monotonic() + PATIENCE
        while self.said().count("partitions_restored") == seen:
            assert self._process.poll() is None, self.said()[-2000:]
            assert time.monotonic() < give_up, self.said()[-2000:]
            await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """Have it drain. Returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, PATIENCE)

    def said(self) -> str:
        """All that its processes have logged."""
        return self.log.read_text("utf-8") if self.log.exists() else ""


def proof(number: int) -> tuple[bytes, str]:
    """A request, and the status that is right for it: every seventh is wrong."""
    wrong = number % 7 == 0
    request = {
        "custom_id": f"p{number}",
        "proof": f"theorem t : 1 = 1 := rfl -- synthetic: service=0.1{' error' * wrong}",
        "run": "rolling",
        "a_field_of_a_later_client": {"deep": [1]},
    }
    return json.dumps(request).encode(), "rejected" if wrong else "verified"


async def send(env: Mapping[str, str], rate: float, stop: asyncio.Event) -> int:
    """Send proofs until told to stop. Returns how many."""
    count = 0
    async with AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"]) as producer:
        begun = time.monotonic()
        while not stop.is_set():
            while count < (time.monotonic() - begun) * rate:
                await producer.send(env[PREFIX + "REQUEST_TOPIC"], proof(count)[0])
                count += 1
            await asyncio.sleep(0.02)
        await producer.flush()
    return count


async def answers(env: Mapping[str, str], sent: int) -> dict[str, list[dict[str, Any]]]:
    """All results by custom_id, once each proof has one."""
    found: dict[str, list[dict[str, Any]]] = {}
    servers = env[PREFIX + "BOOTSTRAP_SERVERS"]
    topic = env[PREFIX + "RESULT_TOPIC"]
    async with AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        give_up = time.monotonic() + PATIENCE
        while True:
            batches = await consumer.getmany(timeout_ms=2000)
            for record in (record for records in batches.values() for record in records):
                found.setdefault((record.key or b"").decode(), []).append(json.loads(record.value))
            if not batches and (len(found) >= sent or time.monotonic() > give_up):
                return found


async def roll(arguments: argparse.Namespace, env: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Do it. Returns what was seen."""
    here = (["-m", "streamverify"], ROOT)
    old, new = (here, ([str(FUTURE)], ROOT)) if arguments.future else ((["-m", "streamverify"], arguments.old), here)
    members = [Member(f"member-{number}", env, folder / f"{number}.log") for number in range(arguments.members)]
    await asyncio.gather(*(member.start(old) for member in members))
    stop = asyncio.Event()
    sending = asyncio.create_task(send(env, arguments.rate, stop))
    codes, marks = Counter[int](), []
    for version, word in ((new, "upgraded"), (old, "back")):
        for member in members:
            await asyncio.sleep(arguments.pause)
            codes[await member.stop()] += 1
            await member.start(version)
        marks.append((word, time.time() * 1000))
    await asyncio.sleep(arguments.pause)
    stop.set()
    sent = await sending
    found = await answers(env, sent)
    for member in members:
        codes[await member.stop()] += 1
    wrong = {
        name: [each["status"] for each in found.get(name, [])]
        for name, status in ((f"p{number}", proof(number)[1]) for number in range(sent))
        if {each["status"] for each in found.get(name, [])} != {status}
    }
    said = "".join(member.said() for member in members)
    repeats = Counter(len(results) - 1 for results in found.values())
    return {
        "sent": sent,
        "wrong_or_missing": wrong,
        "repeated": sum(count * times for times, count in repeats.items()),
        "schema_versions": dict(Counter(each["schema_version"] for results in found.values() for each in results)),
        "workers_exit_codes": dict(codes),
        "events": {event: said.count(event) for event in EVENTS},
        "tracebacks": said.count("Traceback"),
    }


def main() -> int:
    """Read the command line, and print what was seen as JSON."""
    parser = argparse.ArgumentParser(prog="rolling", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--old", type=Path, metavar="TREE")
    which.add_argument("--future", action="store_true")
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--rate", type=float, default=30.0, help="proofs a second")
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between two replacements")
    arguments = parser.parse_args()
    with real_broker() as servers, tempfile.TemporaryDirectory() as folder:
        env = make_environment(servers, real=False)
        made = run_command(env, "topics", "create", "--partitions", "6")
        assert made.returncode == 0, made.stderr
        seen = asyncio.run(roll(arguments, env, Path(folder)))
    sys.stdout.write(json.dumps(seen, indent=1) + "\n")
    return 1 if seen["wrong_or_missing"] or seen["tracebacks"] else 0


if __name__ == "__main__":
    sys.exit(main())
