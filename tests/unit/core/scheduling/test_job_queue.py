"""Which job of a line is next, as a scheduler of few slots starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repl_fakes import job
from schedulers import A, holding, scheduler, submitted

from streamverify.core.scheduling.job_queue import LOOK_AHEAD
from streamverify.core.scheduling.scheduler import Rules, Scheduler, Start
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from streamverify.core.job import Job


def test_of_a_group_no_two_are_started_at_once_while_others_wait() -> None:
    made = scheduler(slots=2)
    first, _ = submitted(made, A, Work(group="g"))
    second, _ = submitted(made, A, Work(group="g"))
    other, _ = submitted(made, A, Work())
    assert made.slot_freed(0, holding(A), 0.0) == [Start(0, first)]
    assert made.slot_freed(1, holding(A), 0.0) == [Start(1, other)]
    assert made.slot_freed(1, holding(A), 1.0) == [Start(1, second)], "no slot idles in front of work"


def test_a_group_whose_success_is_on_its_way_counts_as_running() -> None:
    made = scheduler(slots=1)
    first, _ = submitted(made, A, Work(group="g"))
    second, _ = submitted(made, A, Work(group="g"))
    other, _ = submitted(made, A, Work())
    assert made.slot_freed(0, holding(A), 0.0) == [Start(0, first)]
    made.groups.started("g")
    assert made.slot_freed(0, holding(A), 1.0) == [Start(0, other)]
    made.groups.ended("g")
    assert made.slot_freed(0, holding(A), 2.0) == [Start(0, second)]


def started_groups(worker: str, groups: int) -> list[int]:
    """The order in which a worker of one slot starts attempts of so many groups, one at each."""
    made: Scheduler[Job] = Scheduler(Rules(1, worker=worker))
    made.stats.imported(job(A).header, 1.0, 0.0)
    numbers = {submitted(made, A, Work(group=f"g{number}"))[0]: number for number in range(groups)}
    order = []
    for _ in range(groups):
        [start] = made.slot_freed(0, holding(A), 0.0)
        assert isinstance(start, Start)
        order.append(numbers[start.job])
    return order


def test_each_worker_has_an_order_of_groups_of_its_own() -> None:
    """All workers get the groups in the same order, and shall not run the same ones at the same time."""
    one, two = started_groups("one", 40), started_groups("two", 40)
    assert one != two
    assert sorted(one) == sorted(two) == list(range(40))
    assert one == started_groups("one", 40)
    assert sum(one.index(group) == two.index(group) for group in range(40)) < 10


def test_no_group_is_overtaken_by_more_than_a_block_of_jobs() -> None:
    order = started_groups("one", LOOK_AHEAD + 100)
    assert sorted(order[:LOOK_AHEAD]) == list(range(LOOK_AHEAD))
