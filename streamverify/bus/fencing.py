"""One name, one worker: finds out whether another worker has taken our `group_instance_id`.

Kafka gives a static member's name to whoever joins with it last, and fences the member that had it. aiokafka never
notices: its heartbeats and commits do not carry the name, so the broker calls the fenced member unknown, and aiokafka
joins again, which fences the other one. Two workers of one name would go on like that for ever. So a worker whose
member id is no longer known asks who has its name before it joins again.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyAssignorUserDataV1, StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import BrokerResponseError, KafkaError, kafka_errors

from streamverify.bus.connection import is_permanent
from streamverify.core.errors import WorkerFenced

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient

ASK_TIMEOUT = 5.0
RETRY = 1.0
"""Seconds between two questions to a group that cannot be described."""

_SIGNATURE = b"streamverify@"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

_log = structlog.get_logger(__name__)


class FencedInstanceIdError(BrokerResponseError):
    """Kafka's error 82: another member has joined with this `group.instance.id`. aiokafka 0.14 does not know it."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another member has joined the group under the same group.instance.id."


# Without this entry aiokafka words the error as an UnknownError, like that of a broker that has lost its way.
kafka_errors.setdefault(FencedInstanceIdError.errno, FencedInstanceIdError)


class SignedStickyAssignor(StickyPartitionAssignor):
    """Says in a member's user data which process it is, so that the one that it fences can name it.

    The client id would be the place, but a broker keeps that of the first member that had the name. What follows the
    assignor's own fields is read by nobody else. `signed` makes a class that says more.
    """

    card = b""
    """Bytes that the member tells its group besides (`core.overview.card`). Older workers read the process at the end
    only."""

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return what the group is told at each join."""
        said = super().metadata(topics)
        previous = said.user_data or StickyAssignorUserDataV1([], cls.DEFAULT_GENERATION_ID).encode()
        return ConsumerProtocolMemberMetadata(
            said.version, said.subscription, previous + cls.card + _SIGNATURE + this_process().encode()
        )


def signed(card: bytes) -> type[SignedStickyAssignor]:
    """Make the assignor of one member, which tells the group this card: aiokafka takes a class, not an object."""
    return type(SignedStickyAssignor.__name__, (SignedStickyAssignor,), {"card": card})


class GroupProcess(NamedTuple):
    """A member of a consumer group: its id, and which process it is, "" where the group does not say."""

    member_id: str
    process: str


class UserData(NamedTuple):
    """The user data that a member has told its group."""

    process: str
    """Machine and number of its process, `HOST:PID`; "" where it does not say."""
    card: bytes
    """The bytes before that; they may begin with the assignor's own fields."""


def this_process() -> str:
    """Name this process for people and for the group: `prover-7:4711`."""
    return f"{socket.gethostname()}:{os.getpid()}"


def holder_of(name: str, members: Iterable[GroupProcess]) -> GroupProcess | None:
    """Find the member that has this `group_instance_id`.

    The descriptions that aiokafka can ask for do not say it, but a broker begins the member id of a static member with
    its name; a UUID follows.
    """
    # The whole id, not its beginning: `prover-1` is also how the ids of `prover-1-b` begin.
    pattern = re.compile(f"{re.escape(name)}-{_UUID}")
    return next((member for member in members if pattern.fullmatch(member.member_id)), None)


def members_of(description: Mapping[str, Any]) -> list[GroupProcess]:
    """Read the members in the answer to a DescribeGroups request."""
    return [
        GroupProcess(each["member_id"], user_data_in(each["member_metadata"]).process)
        for group in description["groups"]
        for each in group["members"]
    ]


def user_data_in(metadata: bytes) -> UserData:
    """Read what a member's metadata says; a group tells it only while it is not rebalancing."""
    try:
        user_data = ConsumerProtocolMemberMetadata.decode(metadata).user_data or b""
    except ValueError:
        return UserData("", b"")
    card, signature, process = user_data.rpartition(_SIGNATURE)
    return UserData(process.decode(errors="replace"), card) if signature else UserData("", b"")


class Fence:
    """Watches over the name of one static member, from its first join on."""

    def __init__(
        self, group: str, name: str, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, *, kind: str = "worker"
    ) -> None:
        """`kind`: what this process is, in the error's words."""
        self._group = group
        self._kind = kind
        self._name = name
        self._consumer = consumer
        self._admin = admin
        self._member_id: str | None = None
        """The id under which we were last a member; None before the first join."""
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def announce(self) -> None:
        """Log whose name this worker is about to take, if a member has it: mostly that of our dead predecessor."""
        with suppress(KafkaError, OSError, TimeoutError):
            if holder := await self._holder():
                _log.info(
                    "name_taken_over",
                    name=self._name,
                    previous=holder.process or "unknown",
                    hint="it ended or died a moment ago and its session is not over yet; if it runs, it ends with 6",
                )

    def joined(self) -> None:
        """Take note of the member id that the group has given us."""
        self._member_id = self._coordinator.member_id

    async def may_rejoin(self) -> bool:
        """Tell, before aiokafka joins again, whether the name is still free for us; if not, `watch` raises.

        While no broker can say, this waits: without one there is no joining, either.
        """
        if self._member_id is None or self._coordinator.generation >= 0:
            # Our first join, or an ordinary rebalance: the group knows us.
            return True
        while True:
            try:
                holder = await self._holder()
                break
            except (KafkaError, OSError, TimeoutError) as error:
                if is_permanent(error):
                    # A group that may not be described: then two of one name fight, as without this check.
                    return True
                await asyncio.sleep(RETRY)
        if holder is None or holder.member_id == self._member_id:
            # Our session was over, and nobody came.
            return True
        # Two of these may wait at once, of one rebalance after the other: the first has ended `watch`.
        if not self._lost.done():
            self._lost.set_exception(self._error(holder))
        return False

    async def refuse(self, error: KafkaError) -> None:
        """Raise WorkerFenced if this error of a poll says that another has joined under our name."""
        if FencedInstanceIdError.__name__ not in str(error):
            return
        # Before anything is awaited: aiokafka joins again as soon as its error was raised.
        self._consumer.unsubscribe()
        holder = None
        with suppress(KafkaError, OSError, TimeoutError):
            holder = await self._holder()
        raise self._error(holder) from error

    async def watch(self) -> None:
        """Wait until the name is lost.

        Raises:
            WorkerFenced: Another worker has taken the name.
        """
        await self._lost

    def _error(self, holder: GroupProcess | None) -> WorkerFenced:
        other = f"the {self._kind} {holder.process}" if holder and holder.process else f"another {self._kind}"
        return WorkerFenced(
            f"{other} has joined the group {self._group} under the name of this one ({this_process()}), "
            f"STREAMVERIFY_GROUP_INSTANCE_ID={self._name}: it goes on and this one ends; give each "
            f"{self._kind} its own name"
        )

    async def _holder(self) -> GroupProcess | None:
        async with asyncio.timeout(ASK_TIMEOUT):
            [description] = await self._admin.describe_consumer_groups([self._group])
        return holder_of(self._name, members_of(description.to_object()))

    @property
    def _coordinator(self) -> Any:
        return self._consumer._coordinator  # noqa: SLF001 - aiokafka tells a member its id nowhere else
