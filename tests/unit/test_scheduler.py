"""Which proof runs where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repl_fakes import job

from streamverify.core.scheduler import NOTHING, PATIENCE, QUANTUM, Holding, Scheduler, Start

if TYPE_CHECKING:
    from streamverify.core.jobs import Job

A, B, C = (f"import {name}\ntheorem t" for name in "ABC")


def holding(proof: str, import_seconds: float = 0.0, useful_seconds: float = 0.0) -> Holding:
    return Holding(job(proof).header.fingerprint, import_seconds, useful_seconds)


def queued(scheduler: Scheduler, *proofs: str, now: float = 0.0) -> list[Job]:
    jobs = [job(proof) for proof in proofs]
    assert [scheduler.submit(each, now) for each in jobs] == [None] * len(jobs)
    return jobs


def test_jobs_of_one_header_run_in_the_order_they_came() -> None:
    scheduler = Scheduler()
    jobs = queued(scheduler, A, A, A)
    assert [scheduler.slot_freed(0, NOTHING, 1.0) for _ in jobs] == [Start(0, each) for each in jobs]
    assert scheduler.slot_freed(0, NOTHING, 2.0) is None


def test_a_slot_stays_with_its_header() -> None:
    scheduler = Scheduler()
    _, second, _, fourth = queued(scheduler, A, B, A, B)
    assert scheduler.slot_freed(0, holding(B), 1.0) == Start(0, second)
    assert scheduler.slot_freed(0, holding(B), 1.0) == Start(0, fourth)


def test_without_work_of_its_own_it_takes_the_header_longest_unserved() -> None:
    scheduler = Scheduler()
    first, second, third, _ = queued(scheduler, A, B, C, A)
    assert [scheduler.slot_freed(slot, NOTHING, 1.0) for slot in range(3)] == [
        Start(0, first),
        Start(1, second),
        Start(2, third),
    ]


def test_a_header_that_waited_too_long_is_served_once_the_import_is_paid() -> None:
    scheduler = Scheduler()
    other, first, second, third = queued(scheduler, B, A, A, A)
    paid, unpaid = holding(A, 1.0, QUANTUM), holding(A, 1.0, QUANTUM - 0.1)
    assert scheduler.slot_freed(0, paid, PATIENCE - 0.1) == Start(0, first)
    assert scheduler.slot_freed(0, unpaid, PATIENCE + 1) == Start(0, second)
    assert scheduler.slot_freed(0, paid, PATIENCE + 1) == Start(0, other)
    assert scheduler.slot_freed(0, paid, PATIENCE + 1) == Start(0, third)


def test_a_header_that_was_just_served_waits_anew() -> None:
    scheduler = Scheduler()
    first, _, own = queued(scheduler, B, B, A)
    assert scheduler.slot_freed(0, NOTHING, 10.0) == Start(0, first)
    assert scheduler.slot_freed(1, holding(A), 10.0 + PATIENCE - 0.1) == Start(1, own)


def test_a_free_slot_that_holds_the_header_is_preferred_then_an_empty_one_then_the_longest_idle() -> None:
    scheduler = Scheduler()
    for slot, held in enumerate((holding(A), holding(B), NOTHING, holding(C))):
        assert scheduler.slot_freed(slot, held, 0.0) is None
    started = [scheduler.submit(job(proof), 1.0) for proof in (C, B, "import D\nt", "import D\nt", A)]
    assert [start and start.slot for start in started] == [3, 1, 2, 0, None]
    assert scheduler.queued == 1


def test_discarded_jobs_are_gone_and_the_others_keep_their_order() -> None:
    scheduler = Scheduler()
    first, second, third, fourth = queued(scheduler, A, B, A, A)
    assert scheduler.discard(lambda each: each in (second, third)) == [third, second]
    assert scheduler.queued == 2
    assert [scheduler.slot_freed(0, NOTHING, 0.0) for _ in range(3)] == [Start(0, first), Start(0, fourth), None]


def test_stopped_it_starts_nothing() -> None:
    scheduler = Scheduler()
    queued(scheduler, A)
    scheduler.stop()
    assert scheduler.slot_freed(0, NOTHING, 0.0) is None
    assert scheduler.submit(job(A), 0.0) is None
    assert scheduler.queued == 2


def test_held_it_starts_only_what_is_to_be_started_all_the_same_and_released_what_waited() -> None:
    scheduler = Scheduler()
    for slot in range(2):
        scheduler.slot_freed(slot, NOTHING, 0.0)
    scheduler.hold()
    waiting, alone = job("a"), job("b")
    assert scheduler.submit(waiting, 0.0) is None
    start = scheduler.submit(alone, 0.0, despite_hold=True)
    assert start is not None
    assert start.job is alone
    assert scheduler.slot_freed(start.slot, NOTHING, 0.0) is None
    assert [start.job for start in scheduler.release(0.0)] == [waiting]
    assert scheduler.queued == 0


def test_what_is_started_despite_a_hold_takes_the_first_slot_that_is_free() -> None:
    scheduler = Scheduler()
    scheduler.hold()
    alone = job("b")
    assert scheduler.submit(alone, 0.0, despite_hold=True) is None
    assert scheduler.queued == 1
    start = scheduler.slot_freed(0, NOTHING, 0.0)
    assert start is not None
    assert start.job is alone
    assert scheduler.queued == 0
