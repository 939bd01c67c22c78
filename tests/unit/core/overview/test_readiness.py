"""When a group, or a process, is ready, and what is said where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from overview_fakes import UUID, answer, member, seen, status

from streamverify.core.overview.build import unassigned
from streamverify.core.overview.group import GroupMember, ProcessAnswer, Seen
from streamverify.core.overview.members import workers_of
from streamverify.core.overview.readiness import group_readiness, process_readiness, shortened

if TYPE_CHECKING:
    from streamverify.core.overview.model import Readiness

OLDER = GroupMember(f"c-{UUID}", "streamverify", "/10.0.0.8", "c:1", None, (2,))


def judged(told: Seen, partitions: int = 3) -> Readiness:
    state = None if told.broker.group is None else told.broker.group.state
    return group_readiness("g", state, workers_of(told), unassigned(told, range(partitions)))


def test_a_group_is_ready_when_each_partition_is_with_a_member_that_is() -> None:
    members = (member("a", partitions=(0, 1)), member("b", partitions=(2,)))
    told = seen(*members, answers=(answer(status("a")), answer(status("b"))))
    assert (judged(told).state, judged(told).why) == ("ready", [])
    assert judged(told, 4).why == ["no member has the partitions 3"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            answer(status("a", state="draining", ready=False, problem="it drains")),
            "a is not ready (draining): it drains",
        ),
        (
            ProcessAnswer("http://a:9464", problem="no answer within 2 s", nobody=True),
            "a is not ready (silent): no answer within 2 s",
        ),
    ],
)
def test_one_with_partitions_that_is_not_ready_or_does_not_answer_is_enough(said: ProcessAnswer, why: str) -> None:
    told = seen(member("a", partitions=(0, 1, 2)), answers=(said,))
    assert (judged(told).state, judged(told).why) == ("not_ready", [why])


def test_one_without_partitions_takes_nothing_from_the_others() -> None:
    told = seen(member("a", partitions=(0, 1, 2)), member("b"), answers=(answer(status("a")),))
    assert judged(told).state == "ready"


def test_those_that_cannot_be_asked_count_as_kafka_has_them_and_that_is_said() -> None:
    told = seen(member("a", partitions=(0, 1)), OLDER, answers=(answer(status("a")),))
    assert judged(told).state == "ready"
    assert judged(told).why == ["not asked, as Kafka has them as members: c"]


@pytest.mark.parametrize("state", ["PreparingRebalance", "CompletingRebalance", "Empty", "Dead"])
def test_a_group_that_is_not_stable_is_not_ready(state: str) -> None:
    told = seen(member("a"), state=state, answers=(answer(status("a")),))
    assert judged(told).state == "not_ready"
    assert state in judged(told).why[0]


def test_nobody_is_a_state_of_its_own() -> None:
    foreign = GroupMember(f"rdkafka-{UUID}", "rdkafka", "/10.0.0.9", partitions=(0, 1, 2))
    for told in (seen(state="Empty"), seen(foreign), Seen("k:1", "g", "t")):
        assert (judged(told).state, judged(told).why) == ("nobody", ["no worker is in the group g"])


def test_without_a_description_every_worker_that_was_found_must_be_ready() -> None:
    found = Seen("k:1", "streamverify", "lean.proofs", answers={"http://a:9464": answer(status("a"))})
    assert judged(found).state == "ready"
    starting = Seen("k:1", "streamverify", "lean.proofs", answers={"http://a:9464": answer(status("a", ready=False))})
    assert judged(starting).state == "not_ready"


def test_a_process_is_ready_not_ready_or_not_there() -> None:
    for answered, state in (
        (ProcessAnswer("http://a:1", "router", ready=True), "ready"),
        (ProcessAnswer("http://a:1", "gateway", ready=False, problem="no broker"), "not_ready"),
        (ProcessAnswer("http://a:1", problem="connection refused", nobody=True), "nobody"),
        (ProcessAnswer("http://a:1", problem="something else answers"), "nobody"),
    ):
        judgement = process_readiness(answered)
        assert (judgement.of, judgement.state) == ("http://a:1", state)
        assert judgement.why == ([answered.problem] if answered.problem else [])


def test_numbers_are_shown_as_ranges() -> None:
    assert shortened([3, 1, 2, 7]) == "1-3, 7"
    assert shortened(range(0, 100, 2), 3) == "0, 2, 4, …"
    assert shortened([]) == ""
