"""Looks at a group from outside: its members, how far it is, dead letters. Joins no group and changes nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from streamverify.bus.admin import patient_admin
from streamverify.bus.committed import committed_offsets
from streamverify.bus.connection import BROKER_TIMEOUT
from streamverify.bus.fencing import user_data_in
from streamverify.bus.group_description import described_group
from streamverify.bus.presence import find_topics, require_topics
from streamverify.bus.topic_reader import TopicReader
from streamverify.core.delivery.group_position import group_position
from streamverify.core.overview.card import decode_card
from streamverify.core.overview.group import Broker, Group, GroupMember, remembered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.admin import PatientAdmin
    from streamverify.core.delivery.group_position import GroupPosition
    from streamverify.settings import Settings

_SETTLE = 5.0
"""Seconds for which a group that rebalances is asked again, where only one look is taken."""
_ASK_AGAIN = 0.5
_NO_DESCRIPTION = "this broker does not describe groups (the embedded one does not)"


def group_in(description: Mapping[str, Any], topic: str) -> Group:
    """Read the answer to a DescribeGroups request for one group.

    Raises:
        KafkaError: The broker refused, or is not the coordinator any more.
    """
    group = described_group(description)
    return Group(group["state"], tuple(_member(each, topic) for each in group["members"]))


def _member(described: Mapping[str, Any], topic: str) -> GroupMember:
    said = user_data_in(described["member_metadata"])
    return GroupMember(
        member_id=described["member_id"],
        client_id=described["client_id"],
        client_host=described["client_host"],
        process=said.process,
        card=decode_card(said.card) if said.process else None,
        partitions=_partitions_in(described["member_assignment"], topic),
    )


def _partitions_in(assignment: bytes, topic: str) -> tuple[int, ...]:
    """Read which partitions of a topic a member has; none where a program has written something else there."""
    try:
        assigned = ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
    except (ValueError, TypeError):
        return ()
    return tuple(sorted({tp.partition for tp in assigned if tp.topic == topic and tp.partition >= 0}))


class GroupLook:
    """Looks at a group again and again over the same connections; to be closed after an error, and opened anew."""

    def __init__(
        self, settings: Settings, broker_timeout: float = BROKER_TIMEOUT, known: dict[str, GroupMember] | None = None
    ) -> None:
        """Connect to nothing yet.

        Args:
            settings: The brokers, the group and its topics.
            broker_timeout: Seconds for which each question is asked again while brokers are not ready.
            known: What members have said at earlier looks; it is updated.
        """
        self._settings = settings
        self._broker_timeout = broker_timeout
        self._stack = AsyncExitStack()
        self._known = {} if known is None else known
        self._readers: dict[tuple[TopicPartition, ...], TopicReader] = {}
        self._admin: PatientAdmin
        self.partitions: list[int] = []
        """The partitions of the request topic, at the last look."""

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        self._admin = await self._stack.enter_async_context(patient_admin(self._settings, self._broker_timeout))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._stack.__aexit__(kind, error, trace)

    async def look(self, *, settle: bool = False) -> Broker:
        """Ask the broker for everything that it knows.

        Args:
            settle: Wait a few seconds for a group that rebalances.

        Raises:
            BrokerUnavailable: No broker answers, or there is no request topic.
        """
        problems: list[str] = []
        group = await self.members(problems, settle=settle)
        return Broker(group, await self._positions(problems), await self._dead_letters(), tuple(problems))

    async def members(self, problems: list[str], *, settle: bool = False) -> Group | None:
        """Ask for the members of the group, and for the partitions of the request topic.

        Returns:
            None where the broker does not describe the group: `problems` says why.

        Raises:
            BrokerUnavailable: No broker answers, or there is no request topic.
        """
        settings = self._settings
        found = await require_topics(self._admin, settings, [settings.request_topic])
        self.partitions = [tp.partition for tp in found[settings.request_topic]]
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _SETTLE
        while True:
            try:
                group = await self._admin.ask(self._describe)
            except IncompatibleBrokerVersion:
                problems.append(_NO_DESCRIPTION)
                return None
            except KafkaError as error:
                problems.append(f"the broker does not describe the group {settings.group_id} to this user ({error!r})")
                return None
            # While it rebalances a group tells neither partitions nor cards of its members.
            if not (settle and group.is_rebalancing and loop.time() < give_up):
                return remembered(group, self._known)
            await asyncio.sleep(_ASK_AGAIN)

    async def _describe(self, admin: AIOKafkaAdminClient) -> Group:
        [description] = await admin.describe_consumer_groups([self._settings.group_id])
        return group_in(description.to_object(), self._settings.request_topic)

    async def _positions(self, problems: list[str]) -> tuple[GroupPosition, ...] | None:
        """Ask how far the group is with the request topic; None where the broker does not say."""
        settings, numbers = self._settings, self.partitions
        topic = settings.request_topic
        try:
            committed = await self._admin.ask(lambda admin: committed_offsets(admin, settings.group_id, topic, numbers))
        except KafkaError as error:
            problems.append(f"the broker does not show the offsets of the group {settings.group_id} ({error!r})")
            return None
        reader = await self._reader([TopicPartition(topic, number) for number in numbers])
        firsts, ends = await reader.beginnings(), await reader.ends()
        return tuple(
            group_position(topic, tp.partition, firsts[tp], ends[tp], committed[tp.partition]) for tp in sorted(ends)
        )

    async def _dead_letters(self) -> int | None:
        """Count the records on the dead letter topic; None where there is none, or this user may not see it."""
        topic = self._settings.dlq_topic
        found = await find_topics(self._admin, [topic])
        if topic not in found.partitions:
            return None
        reader = await self._reader([TopicPartition(topic, each["partition"]) for each in found.partitions[topic]])
        firsts, ends = await reader.beginnings(), await reader.ends()
        return sum(end - firsts[tp] for tp, end in ends.items())

    async def _reader(self, partitions: list[TopicPartition]) -> TopicReader:
        """Return the reader of these partitions; a topic that has got more of them gets another one."""
        key = tuple(partitions)
        if key not in self._readers:
            self._readers[key] = await self._stack.enter_async_context(TopicReader(self._settings, partitions))
        return self._readers[key]
