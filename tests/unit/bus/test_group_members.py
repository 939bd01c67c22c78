"""Whether somebody reads the topic: what brokers say of a group, and what they do not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, IncompatibleBrokerVersion

from streamverify.bus import group_members
from streamverify.bus.group_members import has_member
from streamverify.core.delivery.commits import Committed
from streamverify.core.delivery.offset_map import OffsetMap, encode_map
from streamverify.core.errors import BrokerUnavailable
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.mark.parametrize("members", [[], [{"client_id": "c"}]])
async def test_a_broker_that_describes_the_group_says_whether_it_has_a_member(
    monkeypatch: pytest.MonkeyPatch, members: list[Any]
) -> None:
    described = {"groups": [{"error_code": 0, "group": "g", "members": members}]}

    class Admin:
        async def describe_consumer_groups(self, _groups: list[str]) -> list[Any]:
            return [SimpleNamespace(to_object=lambda: described)]

        async def ask(self, call: Any) -> Any:
            return await call(self)

    @asynccontextmanager
    async def admin(_settings: Any) -> AsyncIterator[Admin]:
        yield Admin()

    monkeypatch.setattr(group_members, "patient_admin", admin)
    assert await has_member(load_settings()) is bool(members)


@pytest.mark.parametrize(
    "error", [BrokerUnavailable("none"), OSError(), TimeoutError(), GroupAuthorizationFailedError()]
)
async def test_what_is_not_known_is_no_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    @asynccontextmanager
    async def fail(_settings: Any) -> AsyncIterator[None]:
        raise error
        yield

    monkeypatch.setattr(group_members, "patient_admin", fail)
    assert await has_member(load_settings()) is None


@pytest.mark.parametrize(
    ("state", "known"), [("open", True), ("closed", False), ("foreign", False), ("empty", False), ("none", False)]
)
async def test_a_broker_that_describes_no_groups_has_the_commits_of_the_owner(
    monkeypatch: pytest.MonkeyPatch, state: str, *, known: bool
) -> None:
    metadata = {
        "open": encode_map(OffsetMap(base=5, end=5, incomplete={}, open=True), "t", 0),
        "closed": encode_map(OffsetMap(base=5, end=5, incomplete={}, open=False), "t", 0),
        "foreign": "something",
        "empty": "",
    }

    class Admin:
        async def describe_consumer_groups(self, _groups: list[str]) -> None:
            raise IncompatibleBrokerVersion("not known")

        async def ask(self, call: Any) -> Any:
            return await call(self)

    @asynccontextmanager
    async def admin(_settings: Any) -> AsyncIterator[Admin]:
        yield Admin()

    async def partitions(_settings: Any, topic: str) -> list[Any]:
        from aiokafka import TopicPartition  # noqa: PLC0415 - only here

        return [TopicPartition(topic, 0)]

    async def committed(*_args: object) -> dict[int, Committed | None]:
        return {0: None if state == "none" else Committed(5, metadata[state])}

    monkeypatch.setattr(group_members, "patient_admin", admin)
    monkeypatch.setattr(group_members, "topic_partitions", partitions)
    monkeypatch.setattr(group_members, "committed_offsets", committed)
    assert await has_member(load_settings(request_topic="t")) is known
