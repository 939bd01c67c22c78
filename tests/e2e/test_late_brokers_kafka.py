"""Commands that start while a broker is coming up, is down, or hangs: on clusters of their own, which suffer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from command import end, make_environment, run_all, run_command, started
from kafka_broker import KafkaNodes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kafka]

COMMANDS = (("topics", "describe"), ("offsets",), ("doctor",), ("results",), ("dlq", "list"))


@pytest.fixture(scope="module")
def nodes() -> Iterator[KafkaNodes]:
    with KafkaNodes(3) as cluster:
        yield cluster


@pytest.fixture
def env(nodes: KafkaNodes) -> dict[str, str]:
    """Topics that are there while any two of the brokers are."""
    env = make_environment(nodes.bootstrap_servers, real=False)
    made = run_command(env, "topics", "create", "--partitions", "3", "--replication-factor", "3")
    assert made.returncode == 0, made.stderr
    return env


def begins(env: dict[str, str], command: str, *, at_try: int = 1) -> None:
    """The command starts to serve, and ends well; `at_try` the latest, and before that it ends with 4 and a line."""
    with started(env, command) as process:
        assert process.stderr is not None
        lines = []
        while f"{command}_started" not in (line := process.stderr.readline()):
            lines.append(line)
            if not line:
                break
        end(process)
    if process.returncode == 4 and at_try > 1:
        assert "Traceback" not in "".join(lines)
        begins(env, command, at_try=at_try - 1)
    else:
        assert process.returncode == 0, "".join(lines)


def test_a_worker_a_router_and_a_table_wait_for_a_broker_that_comes_up_late() -> None:
    with KafkaNodes(1) as late:
        env = make_environment(late.bootstrap_servers, real=True)
        for command in ("worker", "router", "table"):
            late.stop(1)
            coming = threading.Timer(1.0, late.start, [1])
            coming.start()
            begins(env, command)
            coming.join()


@pytest.mark.parametrize("harm", ["pause", "kill"])
def test_with_one_of_three_brokers_away_everything_starts(nodes: KafkaNodes, env: dict[str, str], harm: str) -> None:
    getattr(nodes, harm)(2)
    try:
        # Which broker is asked is chance.
        for _ in range(2):
            # A broker that hangs may be the active controller. To a producer's first request (InitProducerId) the
            # others then have no answer until their own request to it has timed out.
            begins(env, "worker", at_try=6 if harm == "pause" else 2)
            for command, done in run_all(env, *COMMANDS).items():
                assert "Traceback" not in done.stderr
                assert done.returncode in ({0, 1} if command == ("doctor",) else {0}), (command, done.stderr)
    finally:
        getattr(nodes, {"pause": "resume", "kill": "start"}[harm])(2)


def test_while_one_broker_is_coming_up_a_worker_starts(nodes: KafkaNodes, env: dict[str, str]) -> None:
    for _ in range(2):
        nodes.kill(3)
        coming = threading.Thread(target=nodes.start, args=[3])
        coming.start()
        begins(env, "worker")
        coming.join()


def test_where_no_broker_answers_one_line_and_exit_code_4(nodes: KafkaNodes, env: dict[str, str]) -> None:
    for node in (1, 2, 3):
        nodes.pause(node)
    try:
        # None of them waits for ever: `run_command` has a limit.
        for command, done in run_all(env, ("worker",), ("router",), *COMMANDS).items():
            assert done.returncode == 4, (command, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr
    finally:
        for node in (1, 2, 3):
            nodes.resume(node)
