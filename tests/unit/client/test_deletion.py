"""Which records a deletion takes. tests/e2e/test_deletion_kafka.py has the rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cli_fakes import make_result

from streamverify.client.deletion import is_wanted
from streamverify.core.groups.scope import caller_headers
from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.selection import ResultSelection


def record(*, run: str | None = None, key: str | None = None, value: bytes | None = None) -> Any:
    value = value or encode_result(make_result("a", run=run), limit=1_000_000, overhead=0).value
    headers = () if key is None else caller_headers(key, "theirs")
    return SimpleNamespace(topic="lean.results", partition=0, offset=0, value=value, headers=headers)


@pytest.mark.parametrize(
    ("given", "run", "api_key", "expected"),
    [
        ({}, None, None, True),
        ({"value": b"nobody can read this"}, None, None, True),
        ({"value": b"nobody can read this"}, "r", None, False),
        ({"run": "r"}, "r", None, True),
        ({"run": "s"}, "r", None, False),
        ({"key": "alice"}, None, "alice", True),
        ({"key": "alice2"}, None, "alice", False),
        ({}, None, "alice", False),
        ({"key": "alice", "run": "s"}, "r", "alice", False),
    ],
)
def test_every_condition_must_hold(
    given: dict[str, Any], run: str | None, api_key: str | None, *, expected: bool
) -> None:
    assert is_wanted(record(**given), ResultSelection(run=run), api_key) is expected
