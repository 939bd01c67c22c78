"""What the events of a pool do: pauses, jobs that run alone or are dropped, and what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from repl_fakes import job
from schedulers import A, B, C, fingerprint, holding, queued, scheduler, submitted

from streamverify.core.metrics.labels import EnvironmentState
from streamverify.core.scheduling.header_stats import INITIAL_IMPORT_SECONDS
from streamverify.core.scheduling.scheduler import NO_PROCESS, Rules, Scheduler, Start, Warm
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from streamverify.core.job import Job


def test_paused_it_starts_only_a_job_that_runs_alone() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(B)})
    made.pause()
    waiting, alone = job(A), job(B)
    assert made.submit(waiting, 0.0) == []
    assert not made.decisions.timed
    assert made.submit(alone, 0.0, alone=True) == [Start(1, alone)]
    assert made.queued == 1
    assert made.slot_freed(1, holding(B), 1.0) == []
    assert made.resume(1.0) == [Start(0, waiting)]


def test_a_job_alone_runs_in_whatever_slot_there_is() -> None:
    made = scheduler(idle={0: holding(A)})
    made.pause()
    alone = job(B)
    assert made.submit(alone, 0.0, alone=True) == [Start(0, alone)]
    assert made.queued == 0


def test_a_job_alone_waits_for_a_warm_up() -> None:
    made = scheduler(slots=2)
    made.stats.asked(job(A).header, 0.0, 50)
    assert made.slot_freed(0, NO_PROCESS, 0.0) == [Warm(0, job(A).header)]
    made.pause()
    alone = job(B)
    assert made.slot_freed(1, NO_PROCESS, 0.0) == []
    assert made.submit(alone, 0.0, alone=True) == []
    assert made.imported(0, job(A).header, 1.0, 1.0) == []
    assert made.slot_freed(0, holding(A), 1.0) == [Start(1, alone)]


def test_a_header_that_could_not_be_imported_is_not_warmed_again() -> None:
    made = scheduler()
    first, *_ = queued(made, A, A, A)
    assert made.slot_freed(0, NO_PROCESS, 0.0) == [Start(0, first)]
    assert made.discard(lambda _: True) != []
    assert made.slot_freed(0, NO_PROCESS, 1.0) == []


def test_discarded_jobs_are_gone_and_the_others_keep_their_order() -> None:
    made = scheduler()
    first, second, third, fourth = queued(made, A, B, A, A)
    assert made.discard(lambda each: each in (second, third)) == [third, second]
    assert made.queued == 2
    starts = [made.slot_freed(0, holding(A), 0.0) for _ in range(3)]
    assert starts == [[Start(0, first)], [Start(0, fourth)], []]


def test_a_waiting_job_that_was_to_run_alone_can_be_discarded() -> None:
    made = scheduler()
    made.pause()
    alone = job(A)
    assert made.submit(alone, 0.0, alone=True) == []
    assert made.discard(lambda each: each is alone) == [alone]
    assert made.queued == 0


def test_draining_it_starts_nothing() -> None:
    made = scheduler()
    queued(made, A)
    made.drain()
    assert made.slot_freed(0, NO_PROCESS, 0.0) == []
    assert made.submit(job(A), 0.0) == []
    assert made.due(1e6) == ([], None)
    assert made.queued == 2


def test_a_pause_during_a_drain_does_not_undo_it() -> None:
    """The quarantine pauses and resumes the pool also while its worker drains."""
    made = scheduler(idle={0: holding(A)})
    made.pause()
    made.drain()
    made.pause()
    assert made.submit(job(A), 0.0) == []
    assert made.resume(1.0) == []
    assert made.submit(job(A), 1.0, alone=True) == []


@pytest.mark.parametrize(("measured", "expected"), [((), INITIAL_IMPORT_SECONDS), ((2.0,), 2.0), ((2.0, 4.0), 2.6)])
def test_the_cost_of_an_import_follows_the_measurements(measured: tuple[float, ...], expected: float) -> None:
    made: Scheduler[Job] = Scheduler(Rules())
    for seconds in measured:
        made.imported(0, job(A).header, seconds, 0.0)
    assert made.stats.import_seconds(fingerprint(A)) == pytest.approx(expected)


def test_a_withdrawn_job_is_gone() -> None:
    made = scheduler()
    first, second = queued(made, A, A)
    assert (made.withdraw(first), made.withdraw(first)) == (True, False)
    assert made.slot_freed(0, holding(A), 0.0) == [Start(0, second)]
    assert (made.withdraw(second), made.queued) == (False, 0)


@pytest.mark.parametrize(("elapsed", "ended"), [(0.5, False), (3.0, True), (8.5, False)])
def test_a_running_job_is_ended_only_if_its_rest_is_longer_than_the_imports_of_its_process(
    elapsed: float,
    ended: bool,  # noqa: FBT001 - a case
) -> None:
    """Nothing is known, so it is expected to run for as long again, to its time-out at most; A and B cost 1 s each."""
    made = scheduler(idle={0: holding(A, B)})
    running, _ = submitted(made, A, Work(10.0, group="g"))
    assert made.slot_to_end(running, elapsed) == (0 if ended else None)


def test_a_job_that_imports_is_always_ended_and_one_that_waits_is_no_ones_to_end() -> None:
    made = scheduler()
    importing, waiting = queued(made, A, A)
    made.slot_freed(0, NO_PROCESS, 0.0)
    assert made.slot_to_end(importing, 0.0) == 0
    assert made.slot_to_end(waiting, 0.0) is None


def test_it_counts_how_each_job_found_its_header() -> None:
    made = scheduler(idle={0: holding(A), 1: holding(B)}, slots=2)
    made.submit(job(A), 0.0)
    assert made.environments == {EnvironmentState.WARM: 1}
    # Slot 1 is free and holds another header: the next job of A waits for slot 0, and then it is not as if it had
    # found a warm slot free.
    assert made.submit(job(A), 0.1) == []
    assert len(made.slot_freed(0, holding(A), 0.2)) == 1
    assert made.environments == {EnvironmentState.WARM: 1, EnvironmentState.DELAYED: 1}
    made.submit(job(C), 0.3)
    assert made.environments == {EnvironmentState.WARM: 1, EnvironmentState.DELAYED: 1, EnvironmentState.COLD: 1}


def test_a_job_that_waited_while_all_slots_were_busy_was_not_delayed() -> None:
    made = scheduler(idle={0: holding(A)})
    made.submit(job(A), 0.0)
    made.submit(job(A), 0.1)
    made.slot_freed(0, holding(A), 0.2)
    assert made.environments == {EnvironmentState.WARM: 2}


def test_a_job_that_asks_for_a_fresh_process_is_neither_warm_nor_cold() -> None:
    made = scheduler(idle={0: holding(A)})
    made.submit(job(A), 0.0, work=Work(fresh=True))
    made.slot_freed(0, holding(A), 0.1)
    made.submit(job(B), 0.2, work=Work(fresh=True))
    assert made.environments == {EnvironmentState.FRESH: 2}
