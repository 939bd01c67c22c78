"""The topics of a test, made on a real Kafka by one request: as `topics create` makes them, without its process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient, NewTopic

from streamverify.bus.topics import plan_topics

if TYPE_CHECKING:
    from streamverify.settings import Settings

_PATIENCE = 300.0


def make_topics(settings: Settings, partitions: int) -> None:
    """Make the seven topics, and wait until the broker knows of them and of their leaders."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    plans = plan_topics(settings, partitions=partitions)
    topics = [NewTopic(plan.name, plan.partitions, plan.replication, config=dict(plan.settings)) for plan in plans]
    for made in admin.create_topics(topics).values():
        made.result(_PATIENCE)
    give_up = time.monotonic() + _PATIENCE
    # The controller has made them; the broker hears of it a moment later.
    while not all(_has_leaders(admin, plan.name) for plan in plans):
        assert time.monotonic() < give_up, f"the broker does not know of {[plan.name for plan in plans]}"
        time.sleep(0.02)


def _has_leaders(admin: AdminClient, topic: str) -> bool:
    partitions = admin.list_topics(topic, timeout=_PATIENCE).topics[topic].partitions.values()
    return bool(partitions) and all(partition.leader >= 0 for partition in partitions)
