"""Every command without a broker, and without its topics, ends with one line that says what to do, and exit code 4."""

from __future__ import annotations

import pytest
from command import environment, make_environment, run_all, run_command, settings_of

from streamverify.client import Client
from streamverify.core.errors import BrokerUnavailable
from streamverify.settings import PREFIX

NOWHERE = "127.0.0.1:1"
PROOF = "theorem t : 1 = 1 := rfl"
COMMANDS = (
    ("worker",),
    ("router",),
    ("table",),
    ("gateway", "--gateway-port", "0"),
    ("topics", "describe"),
    ("offsets",),
    ("results",),
    ("dlq", "list"),
    ("dlq", "replay", "--all"),
    ("retry", "--since", "1h"),
    ("cancel", "--run", "a"),
    ("delete", "--id", "a"),
    ("verify", "-"),
    ("produce", "-"),
    ("replay", "-", "--format", "lean"),
    ("export", "--output", "exported.jsonl"),
    ("top", "--once"),
    ("workers",),
    ("status",),
)


def test_without_a_broker_every_command_says_so() -> None:
    env = environment(BOOTSTRAP_SERVERS=NOWHERE, HTTP_PORT="0", REPL="synthetic", REQUIRE="checked")
    for command, ended in run_all(env, *COMMANDS, stdin=PROOF).items():
        assert ended.returncode == 4, (command, ended.stderr)
        assert ended.stderr.splitlines()[-1].startswith(f"error: no Kafka broker answers at {NOWHERE}"), command
        assert "Traceback" not in ended.stderr


@pytest.mark.kafka
def test_without_its_topics_every_command_says_so_and_makes_none(kafka: str) -> None:
    env = make_environment(kafka, real=False)
    # The router makes topics of its own; `results` and `produce` have the sender's words, which its unit tests ask.
    commands = [command for command in COMMANDS if command[0] in {"worker", "offsets", "dlq"}]
    for command, ended in run_all(env, *commands, stdin=PROOF).items():
        assert ended.returncode == 4, (command, ended.stderr)
        assert "topic" in ended.stderr
        assert "Traceback" not in ended.stderr
        if command == ("worker",):
            assert "streamverify topics create" in ended.stderr
    described = run_command(env, "topics", "describe")
    assert described.returncode == 4
    assert env[PREFIX + "REQUEST_TOPIC"] in described.stdout + described.stderr


@pytest.mark.kafka
def test_one_topic_that_is_missing_is_enough_though_there_is_nothing_to_do(kafka: str) -> None:
    env = make_environment(kafka, real=False)
    assert run_command(env, "topics", "create").returncode == 0
    env[PREFIX + "REQUEST_TOPIC"] = "misspelt"
    commands = [command for command in COMMANDS if command[0] in {"worker", "offsets", "retry", "verify", "produce"}]
    for command, ended in run_all(env, *commands, ("dlq", "replay", "--all"), stdin=PROOF).items():
        assert ended.returncode == 4, (command, ended.stderr)
        assert ended.stderr.splitlines()[-1] == f"error: no topic misspelt on {kafka}: streamverify topics create"


@pytest.mark.kafka
def test_without_its_topics_a_client_says_so_at_once_in_every_way(kafka: str) -> None:
    settings = settings_of(make_environment(kafka, real=False))
    with Client(settings) as client:
        for use in (
            lambda: client.verify([PROOF], timeout=300),
            lambda: next(client.verify_each([PROOF], timeout=300)),
            lambda: client.submit(PROOF),
            lambda: next(client.submit_all([PROOF])),
            lambda: next(client.results()),
        ):
            with pytest.raises(BrokerUnavailable, match=f"no topic .* on {kafka}: streamverify topics create"):
                use()
