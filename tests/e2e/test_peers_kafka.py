"""What a real Kafka tells of a group's members."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from command import make_environment
from structlog.testing import capture_logs
from worker_fakes import FakeHandler

from streamverify.bus import group_versions as peers
from streamverify.bus.commit_requests import CommitRequests
from streamverify.bus.consumer import RequestConsumer
from streamverify.core.delivery.partitions import Partitions
from streamverify.settings import PREFIX, load_settings

if TYPE_CHECKING:
    import pytest


async def test_a_member_with_other_versions_is_warned_about(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = make_environment(kafka, real=True)
    for name, value in env.items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    settings = load_settings()
    partitions = Partitions(settings.request_topic)
    consumer = RequestConsumer(settings, partitions, CommitRequests(), client_id="streamverify_lean-4.9.0_policy-1")
    await consumer.start(FakeHandler(), 30)
    tasks = [asyncio.create_task(consumer.run())]
    monkeypatch.setattr(peers, "FIRST_LOOK", 0.0)
    monkeypatch.setattr(peers, "EVERY", 0.2)
    looking = peers.VersionWatch(settings, "streamverify_lean-4.34.1_policy-1")
    try:
        with capture_logs() as logs:
            tasks.append(asyncio.create_task(looking.watch()))
            while not any(each["event"] == "versions_differ" for each in logs):
                await asyncio.sleep(0.05)
        [warning] = [each for each in logs if each["event"] == "versions_differ"]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await consumer.close(10)
    assert warning["others"] == ["streamverify_lean-4.9.0_policy-1"]
