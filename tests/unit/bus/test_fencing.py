"""Who has a worker's name: read from what a broker says of the group, and what the worker does about it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError, for_code
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from streamverify.bus import fencing
from streamverify.bus.fencing import Fence, GroupProcess, SignedStickyAssignor, holder_of, members_of, this_process
from streamverify.core.errors import WorkerFenced

OURS = "A-0b2f4e62-6b9a-4c43-9d3c-0d5f6a1b2c3d"
THEIRS = "A-7c9e6679-7425-40de-944b-e07fc1f90ae7"
DYNAMIC = "streamverify-7c9e6679-7425-40de-944b-e07fc1f90ae7"
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)


class Assignor(SignedStickyAssignor):
    """aiokafka keeps an assignor's state on the class."""


def described(*members: tuple[str, bytes]) -> dict[str, Any]:
    return {"groups": [{"members": [{"member_id": name, "member_metadata": data} for name, data in members]}]}


@given(name=NAMES, others=st.lists(NAMES), uuid=st.uuids())
def test_only_the_member_with_exactly_that_name_holds_it(name: str, others: list[str], uuid: Any) -> None:
    holder = GroupProcess(f"{name}-{uuid}", "")
    rest = [GroupProcess(f"{other}-{uuid}", "") for other in others if other != name]
    assert holder_of(name, [*rest, holder]) is holder
    assert holder_of(name, rest) is None


def test_a_member_says_which_process_it_is_and_what_it_had_before() -> None:
    before = Assignor.metadata(["t"])
    Assignor.on_assignment(ConsumerProtocolMemberAssignment(0, [("t", [1, 2])], b""))
    Assignor.on_generation_assignment(7)
    after = Assignor.metadata(["t"])
    for said in (before, after):
        assert members_of(described((OURS, said.encode()))) == [GroupProcess(OURS, this_process())]
    # Members with aiokafka's own assignor read what they need, and no more.
    assert StickyPartitionAssignor.parse_member_metadata(before).partitions == []
    read = StickyPartitionAssignor.parse_member_metadata(after)
    assert ([tuple(tp) for tp in read.partitions], read.generation) == ([("t", 1), ("t", 2)], 7)


@given(st.binary(max_size=60))
def test_the_metadata_of_a_foreign_member_names_no_process(metadata: bytes) -> None:
    foreign = ConsumerProtocolMemberMetadata(0, ["t"], metadata).encode()
    assert members_of(described(("x", metadata), ("y", foreign))) == [GroupProcess("x", ""), GroupProcess("y", "")]


class Group:
    """What consumer and admin client say of a group; `members` may be an error."""

    def __init__(self, *members: GroupProcess | Exception) -> None:
        self.answers = list(members)
        self.coordinator = SimpleNamespace(generation=3, member_id=OURS)
        self.unsubscribed = False

    async def describe_consumer_groups(self, _groups: list[str]) -> list[Any]:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        metadata = b"" if answer is None else signed(answer.process)
        group = described() if answer is None else described((answer.member_id, metadata))
        return [SimpleNamespace(to_object=lambda: group)]

    def unsubscribe(self) -> None:
        self.unsubscribed = True

    def gives_us_up(self) -> None:
        self.coordinator.generation, self.coordinator.member_id = -1, ""

    def fence(self) -> Fence:
        consumer = SimpleNamespace(_coordinator=self.coordinator, unsubscribe=self.unsubscribe)
        return Fence("g", "A", cast("Any", consumer), cast("Any", self))


def signed(process: str) -> bytes:
    return ConsumerProtocolMemberMetadata(0, ["t"], fencing._SIGNATURE + process.encode()).encode()


async def test_a_worker_that_never_joined_and_one_that_is_still_known_may_join() -> None:
    group = Group(GroupProcess(THEIRS, "other:1"))
    fence = group.fence()
    group.coordinator.generation = -1
    assert await fence.may_rejoin()
    group.coordinator.generation = 4
    fence.joined()
    assert await fence.may_rejoin()
    assert len(group.answers) == 1


async def test_a_worker_whose_name_another_has_may_not_join_again_and_says_who_it_is() -> None:
    group = Group(GroupProcess(THEIRS, "other:1"))
    fence = group.fence()
    fence.joined()
    group.gives_us_up()
    assert not await fence.may_rejoin()
    with pytest.raises(WorkerFenced) as raised:
        await asyncio.wait_for(fence.watch(), 5)
    assert "the worker other:1 has joined the group g" in str(raised.value)
    assert this_process() in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 6


@pytest.mark.parametrize(
    "holder",
    [None, GroupProcess(OURS, "us:1"), GroupProcess(DYNAMIC, "them:1")],
    ids=["nobody", "ourselves", "a dynamic member"],
)
async def test_a_worker_whose_session_was_over_joins_again(holder: GroupProcess | None) -> None:
    group = Group(*([] if holder is None else [holder]))
    fence = group.fence()
    fence.joined()
    group.gives_us_up()
    assert await fence.may_rejoin()


async def test_a_group_that_cannot_be_asked_is_asked_again_and_one_that_refuses_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fencing, "RETRY", 0.0)
    group = Group(KafkaConnectionError("gone"), OSError("gone"), GroupProcess(THEIRS, "other:1"))
    fence = group.fence()
    fence.joined()
    group.gives_us_up()
    assert not await fence.may_rejoin()
    group = Group(GroupAuthorizationFailedError("g"))
    fence = group.fence()
    fence.joined()
    group.gives_us_up()
    assert await fence.may_rejoin()


async def test_a_join_that_is_fenced_stops_at_once_whether_or_not_the_other_can_be_named() -> None:
    # As aiokafka words what a broker answers to a join.
    error = KafkaError(repr(for_code(82)()))
    for answer, named in ((GroupProcess(THEIRS, "other:1"), "the worker other:1"), (OSError("gone"), "another worker")):
        group = Group(answer)
        with pytest.raises(WorkerFenced, match=f"^{named} has joined"):
            await group.fence().refuse(error)
        assert group.unsubscribed
    group = Group()
    await group.fence().refuse(KafkaError("UnknownError()"))
    assert not group.unsubscribed


async def test_a_name_that_a_member_has_is_announced_before_it_is_taken() -> None:
    for answer, events in (
        (GroupProcess(THEIRS, "other:1"), ["name_taken_over"]),
        (GroupProcess(DYNAMIC, ""), []),
        (KafkaError(), []),
    ):
        with capture_logs() as logs:
            await Group(answer).fence().announce()
        assert [each["event"] for each in logs] == events
