"""What docs/commands.md shows is what the commands print: the day of `tests/handbook/record.py`, typed again."""

from __future__ import annotations

import pytest
from handbook.commands import commands, recorded
from handbook.record import DAY, normal, record
from kafka_broker import KafkaNodes

pytestmark = [pytest.mark.kafka]

# What these print depends on more than streamverify: on the machine (programs, cores, limits), or on the moment at
# which a log is read. How far a service comes is what `record` waits for.
NOT_COMPARED = {"doctor"} | {step.command for step in DAY if step.until}


def test_every_command_is_shown() -> None:
    assert [command.words for command in commands() if command.words not in recorded()] == []


def test_the_page_shows_what_the_commands_print() -> None:
    # A broker of its own: the day has the names of topics and group that a new user has.
    with KafkaNodes() as nodes:
        runs = record(nodes.bootstrap_servers, DAY)
    shown = recorded()
    assert runs.keys() == shown.keys()
    for command in runs.keys() - NOT_COMPARED:
        for now, page in zip(runs[command], shown[command], strict=True):
            assert (now.line, now.exit_code) == (page.line, page.exit_code)
            # Sorted: partitions are read in any order.
            assert sorted(normal(now.output).splitlines()) == sorted(normal(page.output).splitlines()), command
