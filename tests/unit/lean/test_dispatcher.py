"""The dispatcher carries actions to slots, and what came of them back; the test answers for the slots."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from repl_fakes import job, until

from streamverify.core.job import Verdict
from streamverify.core.messages.models import Reason
from streamverify.core.scheduling.scheduler import NO_PROCESS, Rules, Scheduler
from streamverify.lean import dispatcher as dispatcher_module
from streamverify.lean.callbacks import Callbacks
from streamverify.lean.dispatcher import Dispatcher
from streamverify.lean.import_errors import FailedHeaders, FailedImport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from streamverify.core.job import Job

OK = Verdict(Reason.OK, "fine")


class FakeSlot:
    """Runs a job until the test gives its verdict."""

    def __init__(self, _shared: Any, _on_import: Any) -> None:
        self.process = SimpleNamespace(state=NO_PROCESS, failed_starts=0)
        self.closed = False
        self.verdict: asyncio.Future[Verdict] | None = None

    async def run(self, _job: Job) -> Verdict:
        self.verdict = asyncio.get_running_loop().create_future()
        return await self.verdict

    async def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self) -> None:
        self.scheduler: Scheduler[Job] = Scheduler(Rules(slots=1))
        self.callbacks = Callbacks()
        self.failed = FailedHeaders()
        shared = cast("Any", SimpleNamespace(failed=self.failed))
        self.dispatcher = Dispatcher(shared, self.scheduler, self.callbacks, slots=1)
        self.told: list[tuple[str, Reason, int]] = []
        """Who was told what, and how many jobs ran at that moment."""

    @property
    def slot(self) -> FakeSlot:
        return cast("FakeSlot", self.dispatcher.slots[0])

    def submit(self, name: str, proof: str = "theorem t") -> Job:
        def on_done(done: Job, verdict: Verdict) -> None:
            self.told.append((done.request.custom_id, verdict.reason, self.dispatcher.running))

        submitted = job(proof, custom_id=name)
        self.callbacks.add(submitted, on_done)
        self.dispatcher.act(self.scheduler.submit(submitted, time.monotonic()))
        return submitted

    async def end(self, verdict: Verdict = OK) -> None:
        """Give the job that runs its verdict, and wait until it was told."""
        told = len(self.told)
        await until(lambda: self.slot.verdict is not None, "a job runs")
        assert self.slot.verdict is not None
        future, self.slot.verdict = self.slot.verdict, None
        future.set_result(verdict)
        await until(lambda: len(self.told) > told, "it was told")


@contextlib.asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(dispatcher_module, "Slot", FakeSlot)
    bench = Bench()
    try:
        yield bench
    finally:
        await bench.dispatcher.close()


async def test_jobs_wait_for_the_start_and_run_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as bench:
        bench.submit("a")
        assert bench.dispatcher.running == 0
        bench.dispatcher.start()
        bench.submit("b")
        await bench.end()
        await bench.end()
        await bench.dispatcher.wait_running()
        # Counted before the answer: whoever gets it may ask how many run.
        assert bench.told == [("a", Reason.OK, 0), ("b", Reason.OK, 0)]


async def test_those_that_wait_with_a_header_that_failed_are_answered_without_a_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened(monkeypatch) as bench:
        bench.dispatcher.start()
        first = bench.submit("first", "import A\ntheorem t")
        await until(lambda: bench.slot.verdict is not None, "it runs")
        bench.submit("same", "import A\ntheorem u")
        bench.submit("other", "import B\ntheorem t")
        failed = FailedImport(Reason.HEADER_ERROR, ("unknown module prefix 'A'",))
        bench.failed.add(first.header.fingerprint, failed, time.monotonic())
        await bench.end(failed.verdict(first.header))
        assert [(name, reason) for name, reason, _ in bench.told] == [
            ("first", Reason.HEADER_ERROR),
            ("same", Reason.HEADER_ERROR),
        ]
        await bench.end()
        assert bench.told[-1][:2] == ("other", Reason.OK)


async def test_a_failure_that_is_forgotten_by_now_costs_nobody_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as bench:
        bench.dispatcher.start()
        bench.submit("first", "import A\ntheorem t")
        await until(lambda: bench.slot.verdict is not None, "it runs")
        bench.submit("same", "import A\ntheorem u")
        await bench.end(Verdict(Reason.HEADER_ERROR, "unknown module prefix 'A'"))
        assert bench.scheduler.queued or bench.dispatcher.running, "it was neither answered nor is it waiting"
        await bench.end()
        assert bench.told[-1][:2] == ("same", Reason.OK)


async def test_closed_it_tells_nothing_and_has_closed_its_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as bench:
        bench.dispatcher.start()
        bench.submit("a")
        await until(lambda: bench.slot.verdict is not None, "it runs")
        await bench.dispatcher.close()
        assert (bench.told, bench.slot.closed) == ([], True)
