"""top, workers and status on a running worker: on any broker by its address, and on a real Kafka by the group."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from command import end, make_environment, run_all, run_command, settings_of, started, wait_for_log

from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest
from streamverify.core.overview.model import Overview, Workers
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SLOW = "theorem t : True := trivial -- synthetic: service=3600"
PATIENCE = 300.0


@pytest.fixture(scope="module")
def busy(broker: str, request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, str], str]]:
    """The environment of a worker that runs proofs without end, and its port."""
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with started(env, "worker") as worker:
        port = re.findall(r"http_listening.* port=(\d+)", wait_for_log(worker, "partitions_restored"))[0]
        asyncio.run(send(env))
        yield env, port
        end(worker, signal.SIGKILL)


async def send(env: Mapping[str, str]) -> None:
    async with AsyncClient(settings_of(env)) as client:
        await client.submit(ProofRequest(custom_id="evil \x1b[2J\u202e", proof=f"import Mathlib\n{SLOW}", timeout=100))
        await client.submit(ProofRequest(custom_id="plain", proof=SLOW, timeout=100))


@pytest.mark.any_broker
def test_one_look_has_the_slots_with_header_age_and_memory(busy: tuple[dict[str, str], str]) -> None:
    env, port = busy
    give_up = time.monotonic() + PATIENCE
    while True:
        looked = Overview.model_validate_json(run_command(env, "top", "--once", "--json", "--url", port).stdout)
        running = [
            slot for view in looked.workers for slot in (view.status.slots if view.status else []) if slot.custom_id
        ]
        if len(running) == 2 or time.monotonic() > give_up:
            break
    assert {slot.header for slot in running} == {"import Mathlib", ""}
    assert all((slot.memory_bytes or 0) > 1024**2 and slot.age_seconds is not None for slot in running)
    assert looked.oldest is not None
    assert (looked.totals.answering, looked.totals.running) == (1, 2)


class Foreign(StickyPartitionAssignor):
    """Another program's way to divide partitions: that of workers, or the broker would not let it in."""


class Screen:
    """`streamverify top` on a terminal of its own."""

    def __init__(self, env: Mapping[str, str], *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(24, 80)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamverify", "top", "--interval", "0.5", *arguments],
            env=dict(env) | {"TERM": "xterm-256color"}, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - so that Ctrl-C is a signal
        )  # fmt: skip
        os.close(slave)
        self.said = ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, word: str) -> str:
        """Read until the word comes that was not there before; what was drawn until then."""
        said, give_up = "", time.monotonic() + PATIENCE
        while word not in said:
            assert time.monotonic() < give_up, f"it never drew {word!r}: {said[-2000:]!r}"
            if select.select([self.master], [], [], 1.0)[0]:
                try:
                    said += os.read(self.master, 65_536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"it ended before it drew {word!r}: {said[-2000:]!r}") from None
        self.said += said
        return said

    def ends(self) -> int:
        """Wait for its end; its exit code."""
        give_up = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < give_up:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.master, 65_536).decode(errors="replace")
                except OSError:
                    break
        code = self.process.wait(PATIENCE)
        os.close(self.master)
        return code


@pytest.mark.any_broker
@pytest.mark.parametrize("how", ["q", "\x03"])
def test_the_view_goes_on_follows_the_terminal_and_ends_cleanly(busy: tuple[dict[str, str], str], how: str) -> None:
    env, port = busy
    screen = Screen(env, "--url", port)
    first = screen.wait_for("q quits")
    assert "\x1b[?1049h" in first, "a screen of its own"
    assert "running" in first
    screen.wait_for("q quits")  # drawn again
    screen.resize(40, 150)
    os.kill(screen.process.pid, signal.SIGWINCH)
    screen.wait_for("ADDRESS")  # a column for which there was no room before
    os.write(screen.master, how.encode())
    assert screen.ends() == 0, screen.said[-2000:]
    assert "\x1b[?1049l" in screen.said, "the terminal is as it was"
    assert "Traceback" not in screen.said
    assert "\u202e" not in screen.said
    assert "\x1b[2J\ufffd" not in screen.said, "the id of a proof is no command"


@pytest.mark.any_broker
def test_status_of_one_process(busy: tuple[dict[str, str], str]) -> None:
    env, port = busy
    there, nobody = run_all(env, ("status", "--url", port), ("status", "--url", "1", "--json")).values()
    assert (there.returncode, there.stdout) == (0, f"ready: http://127.0.0.1:{port}\n")
    assert (nobody.returncode, json.loads(nobody.stdout)["state"]) == (3, "nobody")


async def until(env: Mapping[str, str], ready: Any) -> Workers:
    """Ask for the members until they are as they should be."""
    give_up = time.monotonic() + PATIENCE
    while True:
        ran = await asyncio.to_thread(run_command, env, "workers", "--json")
        assert ran.returncode == 0, ran.stderr
        found = Workers.model_validate_json(ran.stdout)
        if ready(found) or time.monotonic() > give_up:
            return found


@pytest.mark.kafka
async def test_a_group_of_several_workers_and_a_foreign_member(kafka: str) -> None:
    env = make_environment(kafka, real=True)
    before = await asyncio.to_thread(run_command, env, "status")
    assert (before.returncode, before.stdout.splitlines()[0]) == (3, f"nobody: group {env[PREFIX + 'GROUP_ID']}")
    async with AsyncExitStack() as stack:
        with ExitStack() as workers:
            # One is a static member, and one tells an address at which nobody answers.
            named = env | {PREFIX + "GROUP_INSTANCE_ID": "prover-1"}
            astray = env | {PREFIX + "ADVERTISED_URL": "http://127.0.0.1:1"}
            first = workers.enter_context(started(named, "worker"))
            await asyncio.to_thread(wait_for_log, first, "partitions_restored")
            alone = await until(env, lambda found: found.group_state == "Stable")
            assert [(each.name, each.state, each.partitions) for each in alone.workers] == [
                ("prover-1", "serving", [0, 1, 2])
            ]
            assert (await asyncio.to_thread(run_command, env, "status")).returncode == 0

            second = workers.enter_context(started(astray, "worker"))
            foreign = AIOKafkaConsumer(
                env[PREFIX + "REQUEST_TOPIC"], bootstrap_servers=kafka, group_id=env[PREFIX + "GROUP_ID"],
                client_id="somebody", session_timeout_ms=30_000,
                partition_assignment_strategy=(Foreign,),
            )  # fmt: skip
            await foreign.start()
            stack.push_async_callback(foreign.stop)
            expected = {"serving", "silent", "foreign"}

            def settled(found: Workers) -> bool:
                # The broker is done with the rebalance before the worker has read what it got.
                return found.group_state == "Stable" and {each.state for each in found.workers} == expected

            found = await until(env, settled)
            states = {each.state: each for each in found.workers}
            assert states.keys() == expected
            assert states["serving"].static_name == "prover-1"
            assert states["silent"].problem == "nobody can be reached there (Connection refused)"
            assert states["silent"].host.endswith(f":{second.pid}")
            assert "somebody" in str(states["foreign"].problem)
            owned = sorted(number for each in found.workers for number in each.partitions)
            assert owned == [0, 1, 2]
            assert found.mixed_versions == []
            runs = await asyncio.to_thread(run_all, env, ("top", "--once"), ("top", "--once", "--json"), ("workers",))
            assert {ended.returncode for ended in runs.values()} == {0}
            shown = runs[("top", "--once")].stdout
            assert "prover-1" in shown
            assert "nobody can be reached there" in shown
            looked = Overview.model_validate_json(runs[("top", "--once", "--json")].stdout)
            assert looked.lag is not None
            assert (looked.totals.workers, looked.totals.answering, looked.lag.to_do) == (2, 1, 0)
            if states["silent"].partitions:
                assert (await asyncio.to_thread(run_command, env, "status")).returncode == 1
