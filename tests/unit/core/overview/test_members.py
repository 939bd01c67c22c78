"""What is shown of each member of a group: those that answer, and all the others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from overview_fakes import LEAN, UUID, answer, member, seen, status

from streamverify.core.overview.build import overview, unassigned, workers
from streamverify.core.overview.card import Versions
from streamverify.core.overview.group import Group, GroupMember, ProcessAnswer, Seen, remembered
from streamverify.core.overview.members import urls_of, workers_of
from streamverify.core.overview.rates import History

AT = "2026-01-31T12:00:00Z"


def test_a_member_that_answers_is_shown_with_what_it_says() -> None:
    said = status(state="draining", ready=False, problem="the worker drains")
    [view] = workers_of(seen(member(partitions=(0, 3)), answers=(answer(said),)))
    assert (view.name, view.state, view.ready, view.problem) == ("prover-1", "draining", False, "the worker drains")
    assert (view.partitions, view.static_name, view.host) == ([0, 3], "prover-1", "prover-1:17")
    assert view.status == said


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (None, "it was not asked"),
        (ProcessAnswer("http://prover-1:9464", problem="no answer within 2 s", nobody=True), "no answer within 2 s"),
        (answer(status(pid=99)), "another process answers at http://prover-1:9464: prover-1:99"),
    ],
)
def test_a_member_that_does_not_answer_is_shown_as_such(found: ProcessAnswer | None, problem: str) -> None:
    views = workers_of(seen(member(partitions=(1,)), answers=() if found is None else (found,)))
    [view] = [each for each in views if each.member_id]
    assert (view.state, view.ready, view.problem, view.status) == ("silent", None, problem, None)
    assert view.versions == LEAN, "these it has told the group"
    assert view.partitions == [1]


def test_members_of_older_versions_and_foreign_ones_are_told_apart() -> None:
    older = GroupMember(f"streamverify_lean-4.9.0_policy-1-{UUID}", "streamverify_lean-4.9.0_policy-1", "/10.0.0.8")
    signed = replace(older, member_id=f"b-{UUID}", process="b:5")
    foreign = GroupMember(f"rdkafka-{UUID}", "rdkafka", "/10.0.0.9")
    views = {view.member_id: view for view in workers_of(seen(older, signed, foreign))}
    first, second, third = views[older.member_id], views[signed.member_id], views[foreign.member_id]
    assert (first.state, first.name, first.static_name, first.host) == ("older", older.member_id, None, "10.0.0.8")
    assert first.versions == Versions(kind="lean", lean="4.9.0", policy="1")
    assert (second.state, second.name, second.static_name) == ("older", "b", "b")
    assert (third.state, third.versions) == ("foreign", Versions())
    assert "rdkafka" in str(third.problem)


def test_an_address_of_the_loopback_is_good_on_the_same_machine_only() -> None:
    there = member("there", url="http://127.0.0.1:9464")
    here = member("here", url="http://localhost:9464")
    assert urls_of([there, here], "here") == ["http://localhost:9464"]
    [view, _] = sorted(workers_of(seen(there, here)), key=lambda each: each.state)
    assert (view.name, view.state) == ("there", "local")


def test_while_a_group_rebalances_what_is_known_from_before_is_used() -> None:
    known: dict[str, GroupMember] = {}
    stable = Group("Stable", (member("a"), member("b")))
    assert remembered(stable, known) == stable
    bare = [replace(each, process="", card=None, partitions=()) for each in (member("a"), member("c"))]
    moving = remembered(Group("PreparingRebalance", tuple(bare)), known)
    assert moving.members[0] == replace(member("a"), partitions=())
    views = workers_of(seen(*moving.members, state=moving.state, answers=(answer(status("a")),)))
    assert [(view.name, view.state) for view in views] == [("a", "serving"), ("c", "unknown")]
    assert remembered(Group("Empty"), known).members == ()
    assert known == {}, "who has left is forgotten"


def test_without_a_description_workers_are_found_by_their_addresses() -> None:
    ours, others = status("b"), status("a", group="another")
    told = Seen(
        "kafka:9092", "streamverify", "lean.proofs", answers={each.url: each for each in map(answer, (ours, others))}
    )
    shown = overview(told, History(), at=AT)
    assert [(view.name, view.member_id) for view in shown.workers] == [("a", None), ("b", None)]
    assert shown.workers[0].problem == "it is of another group: another, topic lean.proofs"
    assert (shown.totals.workers, shown.totals.answering, shown.group_state) == (1, 1, None)
    assert shown.mixed_versions == []


def test_names_are_sorted_as_people_count() -> None:
    views = workers_of(seen(*(member(f"prover-{number}") for number in (10, 9, 1, 100))))
    assert [view.name for view in views] == ["prover-1", "prover-9", "prover-10", "prover-100"]


def test_partitions_that_nobody_has_are_named_unless_they_move() -> None:
    assert unassigned(seen(member(partitions=(1,)), member("b", partitions=(2,))), range(4)) == [0, 3]
    assert unassigned(seen(member(), state="PreparingRebalance"), range(4)) == []
    assert unassigned(Seen("k:1", "g", "t"), range(4)) == []
    moving = workers(seen(member(), state="CompletingRebalance"), at=AT, partitions=range(4))
    assert moving.group_state == "CompletingRebalance"
    assert "rebalances" in moving.problems[0]


def test_other_processes_are_listed_where_they_were_asked_for() -> None:
    told = seen(
        member(),
        answers=(
            ProcessAnswer("http://r:9465", "router", ready=True),
            ProcessAnswer("http://x:1", problem="nobody", nobody=True),
        ),
    )
    shown = overview(told, History(), at=AT, given=["http://r:9465", "http://x:1"])
    assert [(each.url, each.process, each.ready) for each in shown.processes] == [
        ("http://r:9465", "router", True),
        ("http://x:1", "unknown", None),
    ]


def test_a_worker_that_starts_is_no_member_yet_and_is_shown_once() -> None:
    starting = status("b", state="starting", ready=False)
    told = seen(member("a"), answers=(answer(status("a")), answer(starting)))
    assert [(view.name, view.state, view.member_id is None) for view in workers_of(told)] == [
        ("a", "serving", False),
        ("b", "starting", True),
    ]


def test_a_word_of_a_later_version_is_other() -> None:
    [view] = workers_of(seen(member(), answers=(answer(status(state="hibernating")),)))
    assert view.state == "other"
