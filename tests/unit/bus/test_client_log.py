"""What aiokafka logs reaches a user's terminal once an outage."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import structlog

from streamverify.bus.client_log import say_once
from streamverify.logs import leave_to_the_program

ERROR = "Unable connect to node with id %s: %s"

PROGRAM = """
import logging, structlog
from streamverify.bus.client_log import say_once
from streamverify.logs import leave_to_the_program
leave_to_the_program()
say_once("a:1"); say_once("b:2"); say_once("a:1")
for number in range(500):
    logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", number, "refused")
    logging.getLogger("aiokafka.consumer.fetcher").error("Failed fetch messages from %s: %s", 1, "gone\\nlong")
    logging.getLogger("aiokafka.cluster").error("Unable to update metadata from %s", [1])
    logging.getLogger("aiokafka.producer.sender").warning("Got error produce response: %s", "NodeNotReadyError: no")
    logging.getLogger("aiokafka.conn").info("nothing that matters")
    logging.getLogger("aiokafka.consumer.group_coordinator").warning("Heartbeat failed for group %s", number)
structlog.get_logger().info("talk")
structlog.get_logger().warning("something", hint="do this")
print("answer")
"""
"""A user's program that configures no logging."""


def test_a_program_that_configures_no_logging_gets_one_line_of_an_outage_on_stderr() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "answer\n"
    outage, other, ours = done.stderr.splitlines()
    assert outage.startswith(
        "no Kafka broker answers at a:1, b:2 (Unable connect to node with id 0: refused): tried again"
    )
    assert other == "aiokafka.consumer.group_coordinator: Heartbeat failed for group 0 (logged once)"
    assert "something" in ours
    assert "do this" in ours


def test_the_next_outage_is_said_again(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    # A client of an earlier test in this process may have set this up already.
    monkeypatch.setattr(logging.getLogger("aiokafka"), "handlers", [])
    say_once("a:1")
    [handler] = logging.getLogger("aiokafka").handlers
    for second, heard in ((0.0, 1), (30.0, 1), (89.0, 1), (149.0, 2), (150.0, 2)):
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 1, ERROR, (1, "refused"), None)
        record.created = second
        handler.handle(record)
        assert len(caplog.records) == heard


@pytest.mark.parametrize("choice", ["level", "handler"])
def test_a_program_that_has_chosen_how_aiokafka_logs_keeps_its_choice(choice: str) -> None:
    library = logging.getLogger("aiokafka")
    if choice == "level":
        library.setLevel(logging.DEBUG)
    else:
        library.addHandler(logging.NullHandler())
    before = library.handlers[:], library.level, library.propagate
    say_once("a:1")
    assert (library.handlers, library.level, library.propagate) == before


def test_a_program_that_has_configured_structlog_keeps_that() -> None:
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    leave_to_the_program()
    assert structlog.get_config()["logger_factory"] is not structlog.stdlib.LoggerFactory
    assert [type(each) for each in structlog.get_config()["processors"]] == [structlog.processors.JSONRenderer]
