"""The slots of a pool, as they are shown to whoever looks at a worker."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from repl_fakes import job

from streamverify.core.scheduling.scheduler import NO_PROCESS, Rules, Scheduler, SlotState
from streamverify.core.syntax.header import parse_header
from streamverify.lean.occupancy import Occupancy

if TYPE_CHECKING:
    from streamverify.core.job import Job

HEADER = parse_header("import A\n")


def slot(pid: int | None = None, uses: int = 0) -> Any:
    header = None if pid is None else HEADER
    return SimpleNamespace(process=SimpleNamespace(pid=pid, header=header, uses=uses))


def test_a_slot_is_empty_idle_importing_or_running() -> None:
    scheduler: Scheduler[Job] = Scheduler(Rules(slots=4))
    loaded = SlotState((HEADER.fingerprint,), 1.0, 0.0, room=False)
    scheduler.slot_freed(0, loaded, 0.0)
    warm, cold = job("import A\ntheorem t"), job("import B\ntheorem t")
    scheduler.submit(warm, 1.0)
    scheduler.slot_freed(1, NO_PROCESS, 1.0)
    scheduler.submit(cold, 2.0)
    scheduler.slot_freed(2, loaded, 3.0)
    scheduler.slot_freed(3, NO_PROCESS, 3.0)
    occupancy = Occupancy([slot(os.getpid(), 5), slot(), slot(os.getpid(), 7), slot()], scheduler)
    running, importing, idle, empty = occupancy.look(11.0)
    assert (running.state, running.job, running.header, running.seconds) == ("running", warm, warm.header, 10.0)
    assert (importing.state, importing.job, importing.header, importing.seconds) == (
        "importing",
        cold,
        cold.header,
        9.0,
    )
    assert importing.memory is None, "its process has not started"
    assert (idle.state, idle.job, idle.header, idle.seconds, idle.uses) == ("idle", None, HEADER, None, 7)
    assert idle.memory, "read from the process itself"
    assert empty == (3, "empty", None, None, None, None, 0)
    assert occupancy.processes == 2
