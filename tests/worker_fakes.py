"""What surrounds the service and the committer, without processes and without Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.audit.vocabulary import Trusted
from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.scheduling.decisions import RunningGroups

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.bus.publisher import Outgoing
    from streamverify.core.job import Job, Record, RecordId, Verdict
    from streamverify.core.messages.models import Assurance


class FakePool:
    """Keeps the jobs; the test says when one is done."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Job, Callable[[Job, Verdict], None]]] = []
        self.trusted = Trusted()
        self.running = 0
        self.queued = 0
        self.paused = False
        self.alone: list[Job] = []
        self.groups = RunningGroups()

    def submit(self, job: Job, on_done: Callable[[Job, Verdict], None], *, alone: bool = False) -> None:
        self.jobs.append((job, on_done))
        if alone:
            self.alone.append(job)

    def supersede(self, job: Job, verdict: Verdict) -> None:
        """End a job that waits; the first `running` ones are not worth ending."""
        at = next(number for number, (each, _) in enumerate(self.jobs) if each is job)
        if at >= self.running:
            _, on_done = self.jobs.pop(at)
            on_done(job, verdict)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        gone = [job for job, _ in self.jobs if doomed(job)]
        self.jobs = [(job, on_done) for job, on_done in self.jobs if not doomed(job)]
        return gone

    def finish(self, verdict: Verdict) -> None:
        job, on_done = self.jobs.pop(0)
        on_done(job, verdict)


class FakeReplays:
    """Keeps the proofs that are to be taken higher; the test says what becomes of them."""

    def __init__(self) -> None:
        self.required: list[tuple[Job, Callable[[Job, Verdict], None]]] = []
        self.upgrades: list[tuple[Job, Assurance, Callable[[Job, Verdict], None]]] = []
        self.running = 0
        self.queued = 0
        self.room = True

    def require(self, job: Job, _audited: Verdict, on_done: Callable[[Job, Verdict], None]) -> None:
        self.required.append((job, on_done))

    def upgrade(self, job: Job, _audited: Verdict, target: Assurance, on_done: Callable[[Job, Verdict], None]) -> bool:
        if self.room:
            self.upgrades.append((job, target, on_done))
        return self.room

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        gone = [job for job, _ in self.required if doomed(job)]
        self.required = [each for each in self.required if not doomed(each[0])]
        return gone

    def supersede(self, job: Job, verdict: Verdict) -> bool:
        waiting = next((each for each in self.required if each[0] is job), None)
        if waiting is None:
            return False
        self.required.remove(waiting)
        waiting[1](job, verdict)
        return True


class FakePartitions:
    """The partitions and the committer: everything is owned until the test says otherwise."""

    def __init__(self) -> None:
        self.owned = Ownership.OWNED
        self.completed: list[RecordId] = []
        self.forgotten: list[RecordId] = []
        self.attempts: list[RecordId] = []
        self.withdrawn: list[RecordId] = []
        self.commits: list[str] = []

    def ownership(self, _record: RecordId) -> Ownership:
        return self.owned

    def is_ours(self, _record: RecordId) -> bool | None:
        return {Ownership.OWNED: True, Ownership.UNKNOWN: None, Ownership.LOST: False}[self.owned]

    def complete(self, record_id: RecordId) -> None:
        self.completed.append(record_id)

    def forget(self, record_id: RecordId) -> None:
        self.forgotten.append(record_id)

    def record_attempt(self, record_id: RecordId) -> None:
        self.attempts.append(record_id)

    def withdraw_attempt(self, record_id: RecordId) -> None:
        self.withdrawn.append(record_id)

    def commit_soon(self) -> None:
        self.commits.append("soon")

    def commit_now(self) -> None:
        self.commits.append("now")


class FakePublisher:
    """Keeps what is published; the test acknowledges."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.urgent: list[bool] = []

    def publish(self, outgoing: Outgoing, *, urgent: bool = True) -> None:
        self.records.append(outgoing)
        self.urgent.append(urgent)


class FakeHandler:
    """Takes every record and does nothing with it."""

    def __init__(self) -> None:
        self.records: list[RecordId] = []

    def receive(self, record: Record) -> None:
        self.records.append(record.id)

    def drop(self, partitions: frozenset[int]) -> None: ...

    def attempts_committed(self, records: frozenset[RecordId]) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def assignment_known(self) -> None: ...
