"""`streamverify broker` as a process: it says where it is, and to be told to stop is no failure of it."""

from __future__ import annotations

import json
import signal

import pytest
from command import end, environment, started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_broker_that_is_told_to_stop_ends_with_0(number: signal.Signals) -> None:
    with started(environment(), "broker", "--json") as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["bootstrap_servers"].startswith("127.0.0.1:")
        _, errors = end(process, number)
        assert (process.returncode, errors) == (0, "")
