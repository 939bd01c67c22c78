"""The command line as a user has it: processes, a broker, a worker, signals."""

from __future__ import annotations

import contextlib
import json
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import (
    alive,
    descendants,
    end,
    environment,
    make_environment,
    run_command,
    serving_worker,
    started,
    wait_for_log,
    wait_until_gone,
)

from streamverify.cli.children import Children
from streamverify.cli.errors import ChildDied
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

PROOF = "import Lean\n\ntheorem t : 1 = 2 := rfl -- synthetic: error\n"
NOWHERE = "127.0.0.1:1"
SLOW_REPL = f"{sys.executable} -m streamverify.standins.synthetic --service 30"


@pytest.fixture(scope="module")
def served(broker: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment of commands whose topics a worker serves; the embedded broker makes them when it starts."""
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with serving_worker(env):
        yield env


@pytest.fixture
def unserved(broker: str, request: pytest.FixtureRequest) -> dict[str, str]:
    return make_environment(broker, real=request.config.getoption("--kafka"))


def wait_for_children(process: subprocess.Popen[str], count: int) -> list[int]:
    """Wait until a process has so many descendants, and return them."""
    give_up = time.monotonic() + 300
    while len(found := descendants(process.pid)) < count and time.monotonic() < give_up:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    assert len(found) >= count
    return found


def wait_for_event_loop(process: subprocess.Popen[str]) -> None:
    """Wait until a command is at work: before, Python itself would answer Ctrl-C."""
    give_up = time.monotonic() + 300
    while "anon_inode:[eventpoll]" not in open_files(process.pid) and time.monotonic() < give_up:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def open_files(pid: int) -> set[str]:
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(file.readlink()))
    return found


@pytest.mark.any_broker
def test_a_rejected_proof_is_shown_with_its_line(served: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "p.lean"
    file.write_text(PROOF)
    done = run_command(served, "verify", str(file), "--wait", "300")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(rf"rejected \(lean_error\)  {re.escape(str(file))}  \d+\.\d\d s", lines[0])
    assert any(line.startswith(f"{file}:") for line in lines)
    assert any("^" in line for line in lines)
    assert "no verdicts of Lean" in done.stderr


@pytest.mark.any_broker
def test_a_proof_from_stdin_is_verified(served: dict[str, str]) -> None:
    done = run_command(served, "verify", "-", "--json", stdin="theorem t : 1 = 1 := rfl")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["custom_id"], result["status"]) == ("stdin", "verified")


@pytest.mark.any_broker
def test_a_proof_that_ran_out_of_time_is_inconclusive(served: dict[str, str]) -> None:
    proof = "theorem t : 1 = 1 := rfl -- synthetic: hang"
    done = run_command(served, "verify", "-", "--timeout", "0.5", stdin=proof)
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("inconclusive (timeout)  stdin")


def test_what_is_produced_comes_back_as_results(served: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    requests = [{"custom_id": f"m{number}", "proof": "theorem t : 1 = 1 := rfl"} for number in range(200)]
    file.write_text("".join(json.dumps(request) + "\n" for request in requests) + "oops\n")
    done = run_command(served, "produce", str(file), "--json")
    assert done.returncode == 2, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["sent"], summary["unusable"]) == (200, 1)
    assert f"{file}:201" in done.stderr
    ids: set[str] = set()
    give_up = time.monotonic() + 300
    while len(ids) < 200 and time.monotonic() < give_up:
        shown = run_command(served, "results", "--json").stdout.splitlines()
        ids = {each["custom_id"] for each in map(json.loads, shown) if each["custom_id"].startswith("m")}
    assert len(ids) == 200
    table = run_command(served, "results").stdout
    assert "m199" in table
    assert "200 verified" in table or re.search(r"2\d\d verified", table)


@pytest.mark.any_broker
def test_results_into_a_closed_pipe_end_quietly(served: dict[str, str]) -> None:
    with started(served, "results", "--json", "--follow") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # It shows what comes from now on, whenever that is.
        while not select.select([process.stdout], [], [], 0)[0]:
            run_command(served, "verify", "-", stdin="theorem t : 1 = 1 := rfl")
        assert process.stdout.readline()
        process.stdout.close()
        while process.poll() is None:
            run_command(served, "verify", "-", stdin="theorem t : 1 = 1 := rfl")
        assert process.returncode == 0
        assert process.stderr.read() == ""


def test_no_answer_in_time_ends_with_3(unserved: dict[str, str]) -> None:
    done = run_command(unserved, "verify", "-", "--wait", "1", stdin="theorem t : 1 = 1 := rfl")
    assert done.returncode == 3
    assert "had no verdict within 1 s ('stdin'); is a worker running?" in done.stderr


def wait_for_records(env: dict[str, str], count: int) -> None:
    """Until so many records are on the request topic."""
    give_up = time.monotonic() + 300
    while time.monotonic() < give_up:
        said = json.loads(run_command(env, "offsets", "--json").stdout)
        if sum(partition["end"] for partition in said["partitions"]) >= count:
            return
    raise AssertionError("nothing was sent")


@pytest.mark.any_broker
@pytest.mark.parametrize("command", [["results", "--follow"], ["verify", "-", "--wait", "500"], ["produce", "-"]])
def test_ctrl_c_ends_with_130_and_leaves_nothing(unserved: dict[str, str], command: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streamverify", *command],
        env=unserved,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        if command[0] == "verify":
            process.stdin.write("theorem t : 1 = 1 := rfl")
            process.stdin.close()
            process.stdin = None
        if command[0] == "verify":
            # It says at once that nobody reads the topic, sends all the same, and goes on waiting.
            assert "has no member" in wait_for_log(process, "has no member")
            wait_for_records(unserved, 1)
        else:
            wait_for_event_loop(process)
        children = descendants(process.pid)
        _, errors = end(process, signal.SIGINT)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert wait_until_gone(children) == []
    if command[0] == "verify":
        assert "interrupted: 1 proof sent, 0 answered; the other 1 stay on " in errors
        assert re.search(r"fetch the verdicts with: streamverify results --since 20\S+Z$", errors, re.MULTILINE)
    if command[0] == "produce":
        assert "interrupted: nothing was sent" in errors


def test_produce_says_at_ctrl_c_what_was_sent(unserved: dict[str, str]) -> None:
    with started(unserved, "produce", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write('{"custom_id": "a", "proof": ""}\nno request\n')
        process.stdin.flush()
        wait_for_log(process, "unusable: stdin:2")
        _, errors = end(process, signal.SIGINT)
    assert process.returncode == 130
    assert re.search(r"interrupted: (1 proof sent to \S+: what|0 proofs sent to \S+, and 1 more may be: what)", errors)
    assert "streamverify results --since 20" in errors


def test_the_embedded_broker_tells_its_address_and_serves() -> None:
    with started(environment(), "broker", "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        env = make_environment(told["bootstrap_servers"], real=False)
        assert run_command(env, "produce", "-", stdin="theorem t : 1 = 1 := rfl").returncode == 0
    assert any("one worker" in limit for limit in told["limits"])


def test_doctor_finds_a_worker_able_to_run(served: dict[str, str]) -> None:
    done = run_command(served, "doctor", "--json")
    assert done.returncode == 0, done.stdout
    names = {check["name"]: check["level"] for check in json.loads(done.stdout)["checks"]}
    assert names["Kafka"] == "ok"
    assert names[f"topic {served[PREFIX + 'REQUEST_TOPIC']}"] != "missing"


def test_doctor_says_what_is_missing() -> None:
    done = run_command(environment(BOOTSTRAP_SERVERS=NOWHERE, REPL="/no/such/repl"), "doctor")
    assert done.returncode == 4
    assert "missing  REPL" in done.stdout
    assert "missing  Kafka" in done.stdout


@pytest.mark.kafka
def test_topics_are_made_once_and_described(kafka: str) -> None:
    topics = {
        "REQUEST_TOPIC": "t1",
        "RESULT_TOPIC": "t2",
        "DLQ_TOPIC": "t3",
        "INGEST_TOPIC": "t4",
        "GROUPS_TOPIC": "t5",
    }
    env = environment(BOOTSTRAP_SERVERS=kafka, GROUP_ID="t", **topics)
    first = run_command(env, "topics", "create", "--partitions", "2", "--retention", "1")
    assert first.returncode == 0, first.stderr
    assert "created t1: partitions 2, replication 1" in first.stdout
    second = run_command(env, "topics", "create", "--partitions", "3", "--retention", "1", "--json")
    assert second.returncode == 1
    assert json.loads(second.stdout)["created"].items() >= dict.fromkeys(topics.values(), False).items()
    described = run_command(env, "topics", "describe", "--json")
    [results] = [each for each in json.loads(described.stdout) if each["name"] == "t2"]
    assert set(results["settings"]["cleanup.policy"].split(",")) == {"compact", "delete"}
    # What was asked for is made without a word, and warned of where it may lose proofs.
    assert "warning: t1: retention.ms is 86400000" in described.stderr
    table = run_command(env, "topics", "create", "--partitions", "3").stderr
    assert "t1: partitions is 2, not 3" in table


class TestDemo:
    """`streamverify demo`, which brings its own broker."""

    def test_it_verifies_the_bundled_proofs_without_lean(self) -> None:
        # What is set for a real Kafka must not lead the demo there.
        env = environment(BOOTSTRAP_SERVERS=NOWHERE, REQUEST_TOPIC="mine", SLOTS="64")
        done = run_command(env, "demo", "--repl", "replay")
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "repeated from the recording" in done.stdout
        assert re.search(r"^core-001-and-swap +verified, only checked +$", done.stdout, re.MULTILINE)
        assert re.search(r"^core-016-succ-add +rejected, lean_error +unsolved goals", done.stdout, re.MULTILINE)
        cheats = re.findall(
            r"^(\S+) +verified, only checked +an audit would reject it: (\w+)", done.stdout, re.MULTILINE
        )
        assert {("core-038-axiom-own", "axiom"), ("core-051-empty-body", "no_theorem")} <= set(cheats)
        assert "42 proofs: " in done.stdout
        assert "Answered by: replay." in done.stdout
        [following] = re.findall(r"Next: (\S+) --help", done.stdout)
        assert "Usage:" in subprocess.run([following, "--help"], capture_output=True, text=True, check=True).stdout

    def test_a_worker_that_dies_is_told_with_its_last_words(self) -> None:
        done = run_command(environment(), "demo", "--repl", "/no/such/repl")
        assert done.returncode == 4
        assert "error: the worker ended unexpectedly (exit code 4)" in done.stderr
        assert "/no/such/repl" in done.stderr

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted_it_leaves_no_process(self, number: signal.Signals) -> None:
        with started(environment(SANDBOX="none"), "demo", "--repl", SLOW_REPL) as process:
            # Broker, worker, and a REPL at least.
            children = wait_for_children(process, 3)
            _, errors = end(process, number)
        assert process.returncode == 130
        assert "interrupted; broker and worker have been stopped" in errors
        assert wait_until_gone(children, 0) == []

    def test_killed_it_takes_its_processes_along(self) -> None:
        with started(environment(SANDBOX="none"), "demo", "--repl", SLOW_REPL) as process:
            children = wait_for_children(process, 3)
            end(process, signal.SIGKILL)
            assert wait_until_gone(children) == []


class TestChildren:
    """Child processes of a command."""

    def test_all_end_with_the_block(self, tmp_path: Path) -> None:
        with Children(tmp_path, environment()) as children:
            child = children.start("broker", "broker", "--json")
            assert "bootstrap_servers" in child.first_line(30)
            pid = child._process.pid
            assert alive(pid)
        assert not alive(pid)

    def test_one_that_does_not_listen_is_killed(self, tmp_path: Path) -> None:
        with Children(tmp_path, environment(), patience=(0.1,)) as children:
            child = children.start("broker", "broker", "--json")
            child.first_line(30)
            child._process.send_signal(signal.SIGSTOP)
        assert child._process.returncode == -signal.SIGKILL

    def test_the_end_of_one_is_told_with_its_log(self, tmp_path: Path) -> None:
        with Children(tmp_path, environment()) as children:
            child = children.start("worker", "worker", "--slots", "0")
            with pytest.raises(ChildDied, match=r"the worker ended unexpectedly \(exit code 2\).*\n  error: --slots: "):
                child.first_line(30)

    def test_one_that_says_nothing_is_given_up(self, tmp_path: Path) -> None:
        with Children(tmp_path, environment()) as children:
            child = children.start("broker", "broker", "--json")
            with pytest.raises(ChildDied, match="was not ready within 0 s"):
                child.first_line(0)
