"""Schedulers whose slots hold what a test says, and jobs for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from repl_fakes import job

from streamverify.core.scheduling.scheduler import Rules, Scheduler, SlotState, Start, Warm

if TYPE_CHECKING:
    from streamverify.core.job import Job
    from streamverify.core.scheduling.work import Work

A, B, C, D = (f"import {name}\ntheorem t" for name in "ABCD")


def fingerprint(proof: str) -> str:
    return job(proof).header.fingerprint


def holding(*proofs: str, imports: float = 0.0, useful: float = 0.0, room: bool = False) -> SlotState:
    return SlotState(tuple(map(fingerprint, proofs)), imports, useful, room)


def scheduler(*, idle: dict[int, SlotState] | None = None, slots: int = 0, **options: Any) -> Scheduler[Job]:
    """One whose slots are idle and hold this; the imports of its headers take a second."""
    idle = idle or {}
    made: Scheduler[Job] = Scheduler(Rules(slots or len(idle) or 1, **options))
    for proof in (A, B, C, D):
        made.stats.imported(job(proof).header, 1.0, 0.0)
    for slot, held in idle.items():
        assert made.slot_freed(slot, held, 0.0) == []
    return made


def queued(made: Scheduler[Job], *proofs: str, now: float = 0.0) -> list[Job]:
    jobs = [job(proof) for proof in proofs]
    assert [made.submit(each, now) for each in jobs] == [[]] * len(jobs)
    return jobs


def submitted(made: Scheduler[Job], proof: str, work: Work, now: float = 0.0) -> tuple[Job, list[Start[Job] | Warm]]:
    new = job(proof)
    return new, made.submit(new, now, work=work)
