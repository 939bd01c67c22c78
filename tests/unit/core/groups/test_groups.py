"""Which attempts a winner supersedes: each rule on its own. tests/property has them together."""

from __future__ import annotations

import pytest

from streamverify.core.groups.groups import GroupAttempt, Groups, Winner
from streamverify.core.job import RecordId
from streamverify.core.messages.models import Assurance

TTL = 60.0
NOW = 1_000_000.0


def attempt(
    custom_id: str, offset: int, *, scope: str = "s", asked: Assurance = Assurance.AUDITED, quarantined: bool = False
) -> GroupAttempt:
    return GroupAttempt(RecordId(0, offset, 0), scope, custom_id, asked, quarantined)


def winner(custom_id: str = "w", offset: int = 99, *, assurance: Assurance = Assurance.AUDITED) -> Winner:
    return Winner("s", custom_id, 0, offset, assurance, NOW)


@pytest.fixture
def groups() -> Groups:
    return Groups(ttl=TTL)


def test_those_that_wait_and_those_that_come_later_are_superseded(groups: Groups) -> None:
    waiting, other = attempt("a", 1), attempt("b", 2, scope="other")
    assert groups.enter(waiting, NOW) is None
    assert groups.enter(other, NOW) is None
    assert groups.won(winner(), NOW) == [waiting]
    assert groups.enter(attempt("c", 3), NOW) == winner()
    assert groups.enter(attempt("c", 4, scope="other"), NOW) is None


def test_one_that_has_its_own_verdict_is_not(groups: Groups) -> None:
    mine = attempt("a", 1)
    groups.enter(mine, NOW)
    groups.finished(mine.record_id)
    assert groups.won(winner(), NOW) == []


@pytest.mark.parametrize(
    ("asked", "assurance", "superseded"),
    [
        (Assurance.CHECKED, Assurance.CHECKED, True),
        (Assurance.CHECKED, Assurance.AUDITED, True),
        (Assurance.AUDITED, Assurance.CHECKED, False),
    ],
)
def test_a_winner_needs_the_assurance_that_was_asked_for(
    groups: Groups,
    asked: Assurance,
    assurance: Assurance,
    superseded: bool,  # noqa: FBT001 - a case
) -> None:
    mine = attempt("a", 1, asked=asked)
    groups.enter(mine, NOW)
    assert groups.won(winner(assurance=assurance), NOW) == ([mine] if superseded else [])


@pytest.mark.parametrize("same", [attempt("w", 1), attempt("another", 99)])
def test_a_winner_is_never_superseded_by_its_record_or_its_id(groups: Groups, same: GroupAttempt) -> None:
    groups.won(winner(), NOW)
    groups.won(winner("second", 98), NOW)
    assert groups.enter(same, NOW) is None
    assert groups.won(winner("third", 97), NOW) == []


def test_of_several_winners_the_first_is_named(groups: Groups) -> None:
    groups.won(winner(), NOW + 1)
    groups.won(winner("second", 98)._replace(announced=NOW + 1), NOW + 1)
    superseding = groups.enter(attempt("a", 1), NOW + 1)
    assert superseding is not None
    assert superseding.custom_id == "w"


def test_a_record_in_quarantine_is_run(groups: Groups) -> None:
    assert groups.enter(attempt("a", 1, quarantined=True), NOW) is None
    assert groups.won(winner(), NOW) == []
    assert groups.enter(attempt("b", 2, quarantined=True), NOW) is None


@pytest.mark.parametrize("ahead", [0.0, 1e6])
def test_a_winner_is_forgotten_after_its_time_also_one_from_a_clock_that_is_ahead(groups: Groups, ahead: float) -> None:
    groups.won(winner()._replace(announced=NOW + ahead), NOW)
    assert groups.enter(attempt("a", 1), NOW + TTL - 1) is not None
    assert groups.enter(attempt("b", 2), NOW + TTL) is None
    assert groups.won(winner(), NOW + TTL) == []
    assert len(groups) == 1


def test_without_a_life_nobody_is_superseded() -> None:
    groups = Groups(ttl=0.0)
    groups.enter(attempt("a", 1), NOW)
    assert groups.won(winner(), NOW) == []
    assert groups.enter(attempt("b", 2), NOW) is None


def test_a_success_is_announced_only_while_its_record_is_ours(groups: Groups) -> None:
    mine = attempt("a", 1)
    announced = groups.acknowledged(mine, Assurance.AUDITED, NOW, ours=True)
    assert announced == Winner("s", "a", 0, 1, Assurance.AUDITED, NOW)
    assert groups.acknowledged(mine, Assurance.AUDITED, NOW, ours=False) is None
    assert groups.acknowledged(mine, Assurance.AUDITED, NOW, ours=None) is None
    assert groups.assignment_known(lambda _: None, NOW + 1) == []
    assert groups.assignment_known(lambda _: True, NOW + 2) == [announced._replace(announced=NOW + 2)]
    assert groups.assignment_known(lambda _: True, NOW + 3) == []


def test_winners_are_bounded_and_those_announced_first_go_first() -> None:
    groups = Groups(ttl=TTL, most=2)
    for scope in "abc":
        groups.won(winner()._replace(scope=scope), NOW)
    assert len(groups) == 2
    assert groups.enter(attempt("x", 1, scope="a"), NOW) is None
    assert groups.enter(attempt("x", 2, scope="c"), NOW) is not None
