"""Ledger: assignments, commits and pauses."""

from __future__ import annotations

from streamverify.core.ledger import Ledger, Limits, Pauses


def owned(limits: Limits | None = None, **starts: int) -> Ledger:
    """A ledger that owns the partitions p0, p1, … from the given offsets."""
    ledger = Ledger(limits)
    ledger.begin()
    for name, start in starts.items():
        ledger.own(int(name.removeprefix("p")), start)
    return ledger


def test_a_record_of_a_partition_that_is_not_restored_is_not_taken() -> None:
    ledger = Ledger()
    ledger.begin()
    assert not ledger.admit(0, 0, 1)


def test_only_changes_are_committed() -> None:
    ledger = owned(p0=5, p1=8)
    assert ledger.commit() is None
    ledger.admit(0, 5, 1)
    assert ledger.commit() is None
    ledger.complete(0, 5, ledger.assignment)
    commit = ledger.commit()
    assert commit is not None
    assert dict(commit.points) == {0: 6}
    ledger.acknowledged(commit)
    assert ledger.commit() is None


def test_a_commit_that_failed_is_due_again() -> None:
    ledger = owned(p0=0)
    ledger.admit(0, 0, 1)
    ledger.complete(0, 0, ledger.assignment)
    first = ledger.commit()
    again = ledger.commit()
    assert first is not None
    assert again is not None
    assert dict(first.points) == dict(again.points) == {0: 1}
    assert ledger.in_flight == 1


def test_finished_records_count_as_in_flight_until_the_commit_is_acknowledged() -> None:
    ledger = owned(p0=0)
    ledger.admit(0, 0, 10)
    ledger.complete(0, 0, ledger.assignment)
    commit = ledger.commit()
    ledger.admit(0, 1, 10)
    ledger.complete(0, 1, ledger.assignment)
    assert ledger.in_flight == 2
    assert commit is not None
    ledger.acknowledged(commit)
    assert ledger.in_flight == 1


def test_what_finishes_after_its_assignment_completes_nothing() -> None:
    ledger = owned(p0=0)
    stale = ledger.assignment
    ledger.admit(0, 0, 1)
    ledger.begin()
    ledger.own(0, 0)
    ledger.admit(0, 0, 1)
    ledger.complete(0, 0, stale)
    assert ledger.commit() is None
    assert not ledger.owns(0, stale)
    ledger.complete(0, 0, ledger.assignment)
    commit = ledger.commit()
    assert commit is not None
    assert dict(commit.points) == {0: 1}


def test_an_acknowledgement_that_comes_after_the_assignment_changes_nothing() -> None:
    ledger = owned(p0=0)
    ledger.admit(0, 0, 1)
    ledger.complete(0, 0, ledger.assignment)
    commit = ledger.commit()
    assert commit is not None
    ledger.begin()
    ledger.own(0, 0)
    ledger.acknowledged(commit)
    assert ledger.in_flight == 0
    ledger.admit(0, 0, 1)
    assert ledger.in_flight == 1


def test_after_the_end_nothing_is_owned() -> None:
    ledger = owned(p0=0)
    ledger.end()
    assert not ledger.owns(0, ledger.assignment)
    assert not ledger.admit(0, 0, 1)
    assert ledger.commit() is None
    assert ledger.pauses() == (frozenset(), frozenset())


def test_a_full_partition_pauses_alone_and_resumes_at_half() -> None:
    ledger = owned(Limits(records=4), p0=0, p1=0)
    for offset in range(4):
        ledger.admit(0, offset, 1)
    assert ledger.pauses() == Pauses(frozenset({0}), frozenset())
    assert ledger.pauses() == (frozenset(), frozenset())
    for offset in range(2):
        ledger.complete(0, offset, ledger.assignment)
    assert ledger.pauses().resume == frozenset()
    commit = ledger.commit()
    assert commit is not None
    ledger.acknowledged(commit)
    assert ledger.pauses() == Pauses(frozenset(), frozenset({0}))


def test_too_many_bytes_pause_every_partition() -> None:
    ledger = owned(Limits(records=100, worker_bytes=10), p0=0, p1=0)
    ledger.admit(0, 0, 10)
    assert ledger.pauses().pause == {0, 1}
    ledger.complete(0, 0, ledger.assignment)
    commit = ledger.commit()
    assert commit is not None
    ledger.acknowledged(commit)
    assert ledger.pauses().resume == {0, 1}


def test_a_new_assignment_starts_unpaused_and_empty() -> None:
    ledger = owned(Limits(records=1), p0=0)
    ledger.admit(0, 0, 1)
    assert ledger.pauses().pause == {0}
    ledger.begin()
    ledger.own(0, 0)
    assert ledger.in_flight == 0
    assert ledger.pauses() == (frozenset(), frozenset())
