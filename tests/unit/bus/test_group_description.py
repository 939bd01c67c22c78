"""What a broker answers of a group: its description, or the error that it hides in there."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, NotCoordinatorForGroupError

from streamverify.bus.group_description import described_group


def described(error: int, *members: dict[str, Any]) -> dict[str, Any]:
    return {"groups": [{"error_code": error, "group": "g", "state": "Stable", "members": list(members)}]}


def test_the_group_is_taken_out_of_the_answer() -> None:
    assert described_group(described(0, {"client_id": "c"}))["members"] == [{"client_id": "c"}]


@pytest.mark.parametrize("code", [0, 69])
def test_a_group_that_is_not_there_has_no_members(code: int) -> None:
    assert described_group(described(code))["members"] == []


@pytest.mark.parametrize(("code", "error"), [(16, NotCoordinatorForGroupError), (30, GroupAuthorizationFailedError)])
def test_a_refusal_is_raised(code: int, error: type[KafkaError]) -> None:
    with pytest.raises(error):
        described_group(described(code))
