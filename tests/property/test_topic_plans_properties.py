"""Topics as they should be and as they are: what differs, and that altering takes it away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.bus.topics import changelog_topic, plan_topics
from streamverify.core.topic_plans import (
    DAY_MS,
    KAFKA_MAX_MESSAGE_BYTES,
    MAX_PROOF_BYTES,
    Difference,
    Purpose,
    TopicPlan,
    TopicState,
    aligned,
    dead_letter_record_bytes,
    differences,
    request_record_bytes,
)
from streamverify.settings import load_settings

SETTINGS = load_settings()
BROKERS_DEFAULTS = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * DAY_MS),
    "retention.bytes": "-1",
    "min.compaction.lag.ms": "0",
    "max.message.bytes": "1048588",
    "min.insync.replicas": "1",
    "unclean.leader.election.enable": "false",
    "message.timestamp.before.max.ms": str((1 << 63) - 1),
}
"""What a topic has that Apache Kafka made because somebody named it."""

policies = st.sampled_from(["delete", "compact", "compact,delete", "delete,compact", ""])
settings = st.fixed_dictionaries(
    {
        "cleanup.policy": policies,
        "retention.ms": st.sampled_from(["-1", "0", "1000", str(7 * DAY_MS), str(99 * DAY_MS)]),
        "retention.bytes": st.sampled_from(["-1", "1000000"]),
        "min.compaction.lag.ms": st.sampled_from(["0", "5", str(30 * DAY_MS)]),
        "max.message.bytes": st.integers(0, 30_000_000).map(str),
        "min.insync.replicas": st.integers(1, 5).map(str),
        "unclean.leader.election.enable": st.sampled_from(["true", "false"]),
        "message.timestamp.before.max.ms": st.sampled_from(["1000", str((1 << 63) - 1)]),
    }
)
plans = st.builds(
    plan_topics,
    st.just(SETTINGS),
    partitions=st.none() | st.integers(1, 30),
    replication=st.none() | st.integers(1, 5),
    retention_ms=st.none() | st.integers(1, 99).map(lambda days: days * DAY_MS),
    brokers=st.integers(1, 5),
)


def states(plan: TopicPlan) -> st.SearchStrategy[TopicState]:
    return st.builds(
        TopicState,
        name=st.just(plan.name),
        exists=st.just(value=True),
        partitions=st.integers(1, 30),
        replication=st.integers(1, 5),
        settings=settings,
    )


def as_planned(plan: TopicPlan) -> TopicState:
    made = BROKERS_DEFAULTS | dict(plan.settings)
    return TopicState(plan.name, exists=True, partitions=plan.partitions, replication=plan.replication, settings=made)


def altered(state: TopicState, found: list[Difference]) -> TopicState:
    """What `topics create --alter` makes of a topic."""
    changes = {difference.what: difference.wanted for difference in found if not difference.remedy}
    partitions = int(changes.pop("partitions", state.partitions))
    return replace(state, partitions=partitions, settings={**(state.settings or {}), **changes})


@given(plans)
def test_what_was_made_as_planned_has_no_differences(planned: list[TopicPlan]) -> None:
    assert [differences(plan, as_planned(plan)) for plan in planned] == [[]] * len(planned)


@given(st.data())
def test_altering_once_leaves_only_what_cannot_be_altered(data: st.DataObject) -> None:
    plan = data.draw(st.sampled_from(data.draw(plans)))
    state = data.draw(states(plan))
    found = differences(plan, state)
    left = differences(plan, altered(state, found))
    assert left == [difference for difference in found if difference.remedy]
    assert all(difference.what in {"partitions", "replication"} for difference in left)


@given(st.data())
def test_more_than_planned_is_no_difference_unless_it_was_asked_for(data: st.DataObject) -> None:
    plan = data.draw(st.sampled_from([plan for plan in plan_topics(SETTINGS, brokers=3) if plan.like is None]))
    better = as_planned(plan)
    more = {
        "retention.ms": st.sampled_from(["-1", str(15 * DAY_MS), str(99 * DAY_MS)]),
        "max.message.bytes": st.integers(3_000_000, 30_000_000).map(str),
        "min.compaction.lag.ms": st.just(str(9 * DAY_MS)),
    }
    changed = {name: data.draw(values) for name, values in more.items() if name in plan.settings}
    state = replace(
        better,
        partitions=better.partitions + data.draw(st.integers(0, 9)),
        replication=better.replication + data.draw(st.integers(0, 2)),
        settings={**(better.settings or {}), **changed},
    )
    assert differences(plan, state) == []
    for name, value in changed.items():
        if name in plan.settings and value != plan.settings[name]:
            [only] = differences(replace(plan, asked=frozenset({name})), state)
            assert (only.what, only.actual, only.harm) == (name, value, "")


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        (Purpose.REQUESTS, {"partitions", "retention.ms"}),
        (Purpose.RESULTS, {"cleanup.policy", "retention.ms", "min.compaction.lag.ms"}),
        (Purpose.DEAD_LETTERS, {"retention.ms", "max.message.bytes"}),
        (Purpose.STATE, {"cleanup.policy", "partitions"}),
    ],
)
def test_a_topic_that_a_broker_made_by_itself_differs_by_its_purpose(purpose: Purpose, expected: set[str]) -> None:
    for plan in plan_topics(SETTINGS):
        if plan.purpose is purpose:
            made = TopicState(plan.name, exists=True, partitions=4, replication=1, settings=BROKERS_DEFAULTS)
            found = differences(plan, made)
            assert {difference.what for difference in found} == expected
            assert all(difference.harm for difference in found)


@pytest.mark.parametrize(
    ("purpose", "changed", "words"),
    [
        (Purpose.REQUESTS, {"cleanup.policy": "compact,delete"}, "compaction deletes all but the newest"),
        (Purpose.REQUESTS, {"retention.bytes": "5"}, "loses its oldest records"),
        (Purpose.REQUESTS, {"max.message.bytes": "1000"}, "refuses larger requests"),
        (
            Purpose.REQUESTS,
            {"retention.ms": str(DAY_MS)},
            "retention.ms is 86400000 (1 days), not 1209600000 (14 days)",
        ),
        (Purpose.REQUESTS, {"unclean.leader.election.enable": "true"}, "without the newest records"),
        (Purpose.REQUESTS, {"min.insync.replicas": "1"}, "may be on one broker only"),
        (Purpose.REQUESTS, {"min.insync.replicas": "3"}, "nothing can be written while a broker is down"),
        (Purpose.REQUESTS, {"min.insync.replicas": "4"}, "nothing can be written to it"),
        (Purpose.RESULTS, {"cleanup.policy": "delete"}, "newest record of a key is deleted"),
        (Purpose.RESULTS, {"min.compaction.lag.ms": "1"}, "before all who follow"),
        (Purpose.DEAD_LETTERS, {"message.timestamp.before.max.ms": "9"}, "an old one is refused"),
        (Purpose.STATE, {"cleanup.policy": "compact,delete"}, "deleted when it is old"),
    ],
)
def test_each_setting_that_loses_or_delays_proofs_is_said(
    purpose: Purpose, changed: dict[str, str], words: str
) -> None:
    plan = next(plan for plan in plan_topics(SETTINGS, brokers=3) if plan.purpose is purpose)
    state = as_planned(plan)
    [found] = differences(plan, replace(state, settings={**(state.settings or {}), **changed}))
    assert words in str(found)


def test_fewer_partitions_and_fewer_copies_are_said_and_what_cannot_be_altered() -> None:
    plan = plan_topics(SETTINGS, partitions=6, replication=3)[0]
    [fewer] = differences(plan, replace(as_planned(plan), partitions=8))
    assert "not changed by --alter: Kafka takes no partition away" in str(fewer)
    [copies] = differences(plan, replace(as_planned(plan), replication=2))
    assert "kafka-reassign-partitions.sh" in str(copies)
    # A cluster of three: without being asked for a number, one copy is too few.
    [alone] = differences(
        plan_topics(SETTINGS, brokers=3)[0], TopicState(plan.name, exists=True, partitions=12, replication=1)
    )
    assert (alone.actual, alone.wanted) == ("1", "3")


def test_settings_that_the_broker_does_not_tell_are_not_judged() -> None:
    plan = plan_topics(SETTINGS)[0]
    assert differences(plan, replace(as_planned(plan), settings=None)) == []
    assert differences(plan, replace(as_planned(plan), settings={})) == []


@pytest.mark.parametrize(
    ("there", "alter", "expected"), [(0, False, 12), (24, False, 24), (4, False, 4), (4, True, 12), (24, True, 24)]
)
def test_the_changelog_has_the_partitions_of_the_ingest_topic(there: int, alter: Any, expected: int) -> None:
    planned = plan_topics(SETTINGS)
    found = {plan.name: TopicState(plan.name, exists=False) for plan in planned}
    found[SETTINGS.ingest_topic] = TopicState(SETTINGS.ingest_topic, exists=bool(there), partitions=there)
    fitted = {plan.name: plan.partitions for plan in aligned(planned, found, alter=alter)}
    assert fitted.pop(changelog_topic(SETTINGS)) == expected
    assert fitted == {plan.name: plan.partitions for plan in planned if plan.like != SETTINGS.ingest_topic}


@given(st.integers(1, MAX_PROOF_BYTES))
def test_one_setting_makes_the_topics_large_enough(size: int) -> None:
    planned = {plan.purpose: plan.settings for plan in plan_topics(load_settings(max_proof_bytes=size))}
    request = int(planned[Purpose.REQUESTS]["max.message.bytes"])
    assert request == request_record_bytes(size) >= max(2 * size, KAFKA_MAX_MESSAGE_BYTES)
    assert request < 100 * 1024 * 1024
    assert int(planned[Purpose.DEAD_LETTERS]["max.message.bytes"]) == dead_letter_record_bytes(size) > request


def test_the_usual_sizes_are_kafkas_own() -> None:
    assert request_record_bytes(SETTINGS.max_proof_bytes) == KAFKA_MAX_MESSAGE_BYTES == 1_048_588
    assert dead_letter_record_bytes(SETTINGS.max_proof_bytes) == 2 * 1024 * 1024
