"""Which proof runs where: each rule on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repl_fakes import job
from schedulers import A, B, C, D, fingerprint, holding, queued, scheduler, submitted

from streamverify.core.scheduling.durations import LONG_TIMEOUT
from streamverify.core.scheduling.header_stats import HeaderStat, HeaderStats
from streamverify.core.scheduling.scheduler import (
    NO_PROCESS,
    PATIENCE,
    QUANTUM,
    WARM_UP_INTERVAL,
    Rules,
    Scheduler,
    SlotState,
    Start,
    Warm,
)
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from streamverify.core.job import Job

LONG = Work(LONG_TIMEOUT + 1)


def queued_behind(made: Scheduler[Job], proof: str) -> list[Job]:
    """A job that runs in slot 0, so that what follows waits."""
    running = job(proof)
    assert made.slot_freed(0, holding(proof), 0.0) == []
    assert made.submit(running, 0.0) == [Start(0, running)]
    return [running]


def test_jobs_of_one_header_run_in_the_order_they_came() -> None:
    made = scheduler()
    jobs = queued(made, A, A, A)
    assert [made.slot_freed(0, holding(A), 1.0) for _ in jobs] == [[Start(0, each)] for each in jobs]
    assert made.slot_freed(0, holding(A), 2.0) == []
    assert (made.queued, made.slots.running) == (0, 0)


def test_a_slot_stays_with_its_header() -> None:
    made = scheduler()
    _, second, _, fourth = queued(made, A, B, A, B)
    assert made.slot_freed(0, holding(B), 1.0) == [Start(0, second)]
    assert made.slot_freed(0, holding(B), 1.0) == [Start(0, fourth)]


def test_of_several_headers_that_it_holds_the_oldest_job_is_next() -> None:
    made = scheduler()
    _, second, third = queued(made, C, B, A)
    both = holding(A, B)
    assert made.slot_freed(0, both, 1.0) == [Start(0, second)]
    assert made.slot_freed(0, both, 1.0) == [Start(0, third)]


def test_without_work_of_its_own_it_takes_the_oldest_job_that_no_slot_holds() -> None:
    made = scheduler(slots=3)
    first, second, third, _ = queued(made, A, B, C, A)
    starts = [made.slot_freed(slot, NO_PROCESS, 0.5) for slot in range(3)]
    assert starts == [[Start(0, first)], [Start(1, second)], [Start(2, third)]]


def test_a_header_that_waited_too_long_is_served_once_both_imports_are_paid() -> None:
    made = scheduler()
    other, first, second, third = queued(made, B, A, A, A)
    paid = holding(A, imports=1.0, useful=2 * QUANTUM)
    unpaid = holding(A, imports=1.0, useful=2 * QUANTUM - 0.1)
    assert made.slot_freed(0, paid, PATIENCE - 0.1) == [Start(0, first)]
    assert made.slot_freed(0, unpaid, PATIENCE + 1) == [Start(0, second)]
    assert made.slot_freed(0, paid, PATIENCE + 1) == [Start(0, other)]
    assert made.slot_freed(0, paid, PATIENCE + 1) == [Start(0, third)]


def test_a_header_that_an_idle_slot_holds_need_not_be_paid_for() -> None:
    made = scheduler(idle={1: holding(B)}, slots=1)
    (old,) = queued_behind(made, A)
    waiting = queued(made, *[A] * 3, B)
    assert made.slot_freed(0, holding(A), PATIENCE + 1) == [Start(0, waiting[0])]
    assert old is not waiting[0]
    assert made.slot_freed(0, holding(A, imports=1.0), PATIENCE + 1) == [Start(1, waiting[3])]


def test_a_header_that_was_just_served_waits_anew() -> None:
    made = scheduler(slots=2)
    first, _, own = queued(made, B, B, A)
    assert made.slot_freed(0, NO_PROCESS, 10.0) == [Start(0, first)]
    late = 10.0 + PATIENCE - 0.1
    assert made.slot_freed(1, holding(A, useful=99), late) == [Start(1, own)]


def test_a_header_held_by_busy_slots_gets_another_once_it_waited_an_import() -> None:
    made = scheduler(slots=2)
    queued_behind(made, A)
    assert made.slot_freed(1, holding(B), 0.0) == []
    (waiting,) = queued(made, A, now=5.0)
    assert made.decisions.timed
    assert made.due(5.5) == ([], 6.0)
    assert made.due(6.0) == ([Start(1, waiting)], None)


def test_it_gets_another_at_once_where_the_work_that_waits_takes_longer_than_an_import() -> None:
    made = scheduler(slots=2)
    made.stats.ran(fingerprint(A), 0.4)
    queued_behind(made, A)
    assert made.slot_freed(1, holding(B), 0.0) == []
    first, _ = queued(made, A, A, now=5.0)
    assert made.submit(job(A), 5.0) == [Start(1, first)]


def test_one_job_is_not_worth_a_third_slot_until_patience_ends() -> None:
    made = scheduler(slots=4)
    for slot in (0, 1):
        assert made.slot_freed(slot, holding(A), 0.0) == []
    for slot in (1, 0):
        assert [start.slot for start in made.submit(job(A), 0.0)] == [slot]
    assert made.slot_freed(2, holding(B), 0.0) == []
    (waiting,) = queued(made, A, now=1.0)
    assert made.due(20.0) == ([], 1.0 + PATIENCE)
    assert made.due(1.0 + PATIENCE) == ([Start(2, waiting)], None)


def test_a_cold_job_takes_the_slot_that_loses_least() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(B), 2: holding(A)})
    for proof, proofs in ((A, 5), (B, 3)):
        made.stats.asked(job(proof).header, 0.0, proofs)
    cold = job(C)
    # Two hold A: the loss of one is 5 / 2.
    assert made.submit(cold, 0.0) == [Start(0, cold)]
    cold = job(D)
    assert made.submit(cold, 0.0) == [Start(1, cold)]


def test_a_process_with_room_loses_nothing() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(B, room=True), 2: holding(C, D, room=True)})
    for proof in (A, B):
        made.stats.asked(job(proof).header, 0.0, 100)
    cold = job("import E\nt")
    assert made.submit(cold, 0.0) == [Start(1, cold)]
    again = job(B)
    assert made.submit(again, 0.0) == []
    assert made.slot_freed(1, SlotState((fingerprint(B), cold.header.fingerprint)), 0.1) == [Start(1, again)]


def test_imports_are_staggered() -> None:
    made = scheduler(slots=3, imports=1)
    first, second, _ = queued(made, A, B, C)
    assert made.slot_freed(0, NO_PROCESS, 0.0) == [Start(0, first)]
    assert made.slot_freed(1, NO_PROCESS, 0.0) == []
    assert made.due(PATIENCE * 2) == ([], None)
    assert made.imported(0, first.header, 1.0, 1.0) == [Start(1, second)]
    warm = job(A)
    assert made.slot_freed(2, holding(A), 1.0) == []
    assert made.submit(warm, 1.0) == [Start(2, warm)]


def test_no_more_run_than_may_however_many_are_idle() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(B), 2: holding(C)}, slots=1, spares=2)
    first = job(C)
    assert made.submit(first, 0.0) == [Start(2, first)]
    second, _ = queued(made, B, A)
    assert made.slot_freed(2, holding(C), 1.0) == [Start(1, second)]


def test_of_several_slots_with_its_header_a_job_takes_the_one_used_last() -> None:
    """Its process is still in the CPU's caches, and what is spare stays spare."""
    made = scheduler(idle={0: holding(A), 1: holding(A), 2: holding(A)}, slots=2, spares=1)
    first = job(A)
    assert made.submit(first, 0.0) == [Start(2, first)]
    second, third = job(A), job(A)
    assert made.submit(second, 0.0) == [Start(1, second)]
    assert made.submit(third, 0.0) == []
    for now in (1.0, 2.0, 3.0):
        (start,) = made.slot_freed(2, holding(A), now)
        assert start.slot == 2
        assert made.submit(job(A), now) == []


def test_an_idle_slot_without_a_process_is_warmed_with_what_is_worth_most() -> None:
    stats = HeaderStats()
    stats.restore([HeaderStat(job(A).header, 10.0, 2.0), HeaderStat(job(B).header, 9.0, 1.0)], 0.0)
    made: Scheduler[Job] = Scheduler(Rules(2, spares=1), stats)
    header = job(A).header
    assert made.slot_freed(0, NO_PROCESS, 0.0) == [Warm(0, header)]
    assert made.slot_freed(1, NO_PROCESS, 0.0) == [Warm(1, header)]
    # One beside those that may run, but not while others are being warmed.
    assert made.slot_freed(2, NO_PROCESS, 0.0) == []
    assert made.imported(0, header, 2.0, 2.0) == []
    assert made.slot_freed(0, holding(A), 2.0) == [] != made.due(2.0 + WARM_UP_INTERVAL)[0]
    assert made.slots.running == 0


def test_what_was_asked_for_once_or_never_imported_is_not_warmed() -> None:
    made: Scheduler[Job] = Scheduler(Rules())
    made.stats.asked(job(A).header, 0.0, 50)
    made.stats.restore([HeaderStat(job(B).header, 1.0, 2.0)], 0.0)
    assert made.slot_freed(0, NO_PROCESS, 0.0) == []


def test_a_process_that_died_with_a_hot_header_is_replaced_beside_the_others() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(A)}, slots=1, spares=1)
    first = job(A)
    assert made.submit(first, 0.0) == [Start(1, first)]
    (second, *_) = queued(made, *[A] * 3)
    assert made.slot_freed(1, NO_PROCESS, 1.0) == [Start(0, second), Warm(1, first.header)]


def test_a_header_that_no_slot_holds_goes_before_an_older_job_that_busy_ones_hold() -> None:
    made = scheduler(slots=2)
    queued_behind(made, A)
    old, new = queued(made, A, B)
    assert made.slot_freed(1, holding(C), 5.0) == [Start(1, new)]
    assert made.slot_freed(0, holding(A), 5.0) == [Start(0, old)]


def test_one_of_several_slots_never_takes_long_work() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(A)})
    first, starts = submitted(made, A, LONG)
    assert starts == [Start(1, first)]
    second, starts = submitted(made, A, LONG)
    assert starts == []
    assert made.due(PATIENCE * 100) == ([], None)
    short, starts = submitted(made, A, Work(LONG_TIMEOUT), PATIENCE * 100)
    assert starts == [Start(0, short)], "it goes before the long job that waits"
    assert made.slot_freed(0, holding(A), PATIENCE * 101) == []
    assert made.slot_freed(1, holding(A), PATIENCE * 102) == [Start(1, second)]


def test_that_a_slot_is_kept_idle_in_front_of_long_work_can_be_told() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(A)})
    submitted(made, A, LONG)
    submitted(made, A, LONG)
    assert not made.decisions.keeps_slot_idle(PATIENCE - 1)
    assert made.decisions.keeps_slot_idle(PATIENCE)
    submitted(made, A, Work(), PATIENCE)
    assert not made.decisions.keeps_slot_idle(PATIENCE), "both slots work"


def test_with_one_slot_there_is_no_lane() -> None:
    made = scheduler(idle={0: holding(A)})
    first, starts = submitted(made, A, LONG)
    assert starts == [Start(0, first)]
    second, _ = submitted(made, A, LONG)
    short, _ = submitted(made, A, Work())
    assert made.slot_freed(0, holding(A), 1.0) == [Start(0, second)]
    assert made.slot_freed(0, holding(A), 2.0) == [Start(0, short)]


def test_long_work_that_waited_for_patience_goes_before_short_work_of_the_header_at_hand() -> None:
    made = scheduler(slots=2)
    for _ in range(3):
        submitted(made, A, Work())
    old, _ = submitted(made, B, LONG)
    assert [start.slot for start in made.slot_freed(0, holding(A), 1.0)] == [0]
    paid = holding(A, imports=1.0, useful=2 * QUANTUM)
    assert made.slot_freed(0, paid, PATIENCE + 1) == [Start(0, old)]


def test_work_whose_sender_chose_no_timeout_is_long_by_what_its_kind_was_observed_to_take() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(A)})
    kind = Work(300.0, ("prefix:slow",))
    first, starts = submitted(made, A, kind)
    second, more = submitted(made, A, kind)
    assert (starts, more) == ([Start(1, first)], [Start(0, second)]), "nothing is known of it yet"
    third, _ = submitted(made, A, kind)
    fourth, _ = submitted(made, A, kind)
    other, _ = submitted(made, A, Work(300.0, ("prefix:quick",)))
    made.stats.ran(fingerprint(A), 1.0)
    assert made.slot_freed(1, holding(A), 250.0) == [Start(1, third)], "and the other slot takes none while this runs"
    made_short, _ = submitted(made, A, Work(60.0), 251.0)
    assert made.slot_freed(0, holding(A), 251.0) == [Start(0, made_short)]
    assert made.slot_freed(1, holding(A), 252.0) == [Start(1, fourth)]
    # The header has been slow, too, and of `quick` nothing is known: it waits as long work until it has run.
    assert made.slot_freed(0, holding(A), 253.0) == []
    assert made.slot_freed(1, holding(A), 253.5) == [Start(1, other)]
