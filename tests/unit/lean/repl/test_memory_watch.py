"""The memory watch asks the cheapest question first, and tells of excess; the machine is a made-up one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from streamverify.core.errors import ReplUnavailable
from streamverify.lean.repl import launch, memory_watch
from streamverify.lean.repl.memory_watch import MemoryWatch
from streamverify.settings import load_settings

BUDGET = 1000


@dataclass
class Machine:
    """Processes with their children and bytes, and what was asked about them. A dividing look takes `walk` seconds."""

    children: dict[int, list[int]] = field(default_factory=dict)
    mapped: int = 0
    sizes: dict[int, int] = field(default_factory=dict)
    divided: dict[int, int] = field(default_factory=dict)
    newest: bytes | None = b"1"
    now: float = 0.0
    walk: float = 0.01
    asked: list[str] = field(default_factory=list)
    watch: MemoryWatch = field(default_factory=MemoryWatch)

    def tree(self, pid: int) -> list[int]:
        self.asked.append("tree")
        return [pid, *self.children.get(pid, [])]

    def resident(self, pid: int) -> int:
        return self.sizes.get(pid, 0) + self.mapped

    def private(self, pid: int) -> int:
        self.asked.append("private")
        return self.sizes.get(pid, 0)

    def proportional(self, pid: int) -> int:
        self.asked.append("proportional")
        self.now += self.walk
        return self.divided[pid]

    def taken(self) -> list[str]:
        """What was asked since."""
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    for name in ("tree", "resident", "private", "proportional"):
        monkeypatch.setattr(memory_watch, name, getattr(made, name))
    monkeypatch.setattr(memory_watch, "newest_pid", lambda: made.newest)
    monkeypatch.setattr("streamverify.lean.repl.memory_watch.time.monotonic", lambda: made.now)
    return made


@pytest.fixture
async def told(machine: Machine) -> list[int]:
    """What the watch of process 1, whose budget is 1000 bytes, has told."""
    found: list[int] = []
    machine.watch.add(1, BUDGET, found.append)
    return found


def look(machine: Machine) -> list[str]:
    machine.watch.look()
    return machine.taken()


async def test_far_from_the_budget_nothing_but_all_resident_pages_is_asked(machine: Machine, told: list[int]) -> None:
    machine.sizes = {1: BUDGET}
    assert look(machine) == ["tree"]
    assert look(machine) == []
    assert told == []


async def test_mapped_files_do_not_count(machine: Machine, told: list[int]) -> None:
    machine.sizes, machine.mapped = {1: BUDGET}, 7500
    assert look(machine) == ["tree", "private"]
    assert told == []


async def test_one_process_above_the_budget_is_told_at_once(machine: Machine, told: list[int]) -> None:
    machine.sizes = {1: BUDGET + 1}
    assert look(machine) == ["tree", "private"]
    assert told == [BUDGET + 1]


@pytest.mark.parametrize("newest", [b"2", None])
async def test_a_new_process_is_found_at_the_next_look(machine: Machine, told: list[int], newest: bytes | None) -> None:
    look(machine)
    machine.children, machine.sizes, machine.newest = {1: [2]}, {2: BUDGET + 1}, newest
    look(machine)
    assert told == [BUDGET + 1]


async def test_where_the_kernel_does_not_say_what_is_new_every_look_asks(machine: Machine, told: list[int]) -> None:
    machine.newest = None
    assert [look(machine), look(machine)] == [["tree"], ["tree"]]
    assert told == []


async def test_what_a_fork_shares_is_divided_seldom(machine: Machine, told: list[int]) -> None:
    machine.children, machine.sizes, machine.divided = {1: [2]}, {1: 600, 2: 600}, {1: 310, 2: 310}
    assert look(machine).count("proportional") == 2
    machine.now += 0.1
    assert look(machine).count("proportional") == 0
    # Nine times as long as it took: 0.18 s after it was done.
    machine.now += 0.1
    assert look(machine).count("proportional") == 2
    # Meanwhile both have written to what they shared: no page more by the first count.
    machine.divided = {1: 550, 2: 550}
    machine.now += 0.2
    look(machine)
    assert told == [1100]


async def test_memory_that_has_come_since_is_divided_at_once(machine: Machine, told: list[int]) -> None:
    machine.children, machine.sizes, machine.divided = {1: [2]}, {1: 600, 2: 600}, {1: 310, 2: 310}
    look(machine)
    machine.sizes, machine.divided = {1: 900, 2: 700}, {1: 610, 2: 410}
    assert look(machine).count("proportional") == 2
    assert told == [1020]


async def test_whoever_is_told_may_stop_the_watch_of_others(machine: Machine) -> None:
    watch, told = MemoryWatch(), []

    def stop(used: int) -> None:
        told.append(used)
        watch.remove(1)
        watch.remove(2)
        watch.remove(3)

    for pid in (1, 2):
        watch.add(pid, BUDGET, stop)
        machine.sizes[pid] = BUDGET + pid
    watch.look()
    assert told[0] == BUDGET + 1


async def test_there_is_one_for_each_loop() -> None:
    watch = memory_watch.memory_watch()
    assert memory_watch.memory_watch() is watch

    async def another() -> MemoryWatch:
        return memory_watch.memory_watch()

    assert await asyncio.to_thread(asyncio.run, another()) is not watch


async def test_it_looks_every_50_ms_while_there_is_something_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    loop = asyncio.get_running_loop()
    watch = MemoryWatch()
    monkeypatch.setattr(watch, "look", lambda: looks.append(loop.time()))
    watch.add(1, BUDGET, looks.append)
    await asyncio.sleep(1.0)
    watch.remove(1)
    count = len(looks)
    assert 8 < count <= 21
    # And no more where there is nothing to look at.
    await asyncio.sleep(0.2)
    assert len(looks) == count


async def test_where_memory_cannot_be_seen_no_repl_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "can_be_read", lambda: False)
    with pytest.raises(ReplUnavailable, match="CONFIG_PROC_CHILDREN"):
        await launch.configured_repl(load_settings(repl="synthetic"), slots=1)
