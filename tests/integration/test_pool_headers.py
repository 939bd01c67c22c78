"""The pool and its headers: what is imported when, in which process, and what becomes of those that cannot be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from repl_fakes import LIMITS, bench, fake, job, living, no_process_left, starts, until  # noqa: F401 - a fixture

from streamverify.core.errors import ReplUnavailable
from streamverify.core.messages.models import Reason
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.core.scheduling.scheduler import Rules
from streamverify.lean.pool import Pool
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.warm_headers import read_saved_headers

if TYPE_CHECKING:
    from pathlib import Path

    from streamverify.core.job import Verdict

pytestmark = [pytest.mark.usefixtures("no_process_left")]

A, B, C = (f"import {name}\ntheorem t" for name in "ABC")


async def test_a_process_takes_as_many_headers_as_it_may(no_process_left: Path) -> None:  # noqa: F811
    async with bench(limits=LIMITS._replace(headers_per_repl=2)) as b:
        cold = [(await b.verify(proof)).timings.import_ > 0 for proof in (A, B, A, B, C, A)]
    assert cold == [True, True, False, False, True, True]
    assert starts(no_process_left) == 2


async def test_a_process_takes_no_more_headers_than_its_memory_allows(no_process_left: Path) -> None:  # noqa: F811
    async with bench(limits=LIMITS._replace(headers_per_repl=2, memory_per_repl=1)) as b:
        for proof in (A, B):
            assert (await b.verify(proof)).reason is Reason.OK
    assert starts(no_process_left) == 2


@pytest.mark.parametrize(
    ("limits", "cold"), [({}, False), ({"headers_per_repl": 1}, True), ({"memory_per_repl": 1}, True)]
)
async def test_a_header_that_fails_leaves_the_others_of_a_process_that_has_room(
    limits: dict[str, int],
    cold: bool,  # noqa: FBT001
    no_process_left: Path,  # noqa: F811
) -> None:
    async with bench(limits=LIMITS._replace(**{"headers_per_repl": 2} | limits)) as b:
        await b.verify(A)
        assert (await b.verify("import Missing.Module\nt")).reason is Reason.IMPORT_FAILED
        verdict = await b.verify(A)
    assert (verdict.reason, verdict.timings.import_ > 0) == (Reason.OK, cold)
    # One for the import that fails, and one after it, where the first has no room for it.
    assert starts(no_process_left) == (3 if cold else 1)


async def test_a_process_takes_headers_by_what_imports_add(no_process_left: Path) -> None:  # noqa: F811
    """The fake's process is some 10 MiB; its imports add next to nothing, so a process takes all of them."""
    async with bench(limits=LIMITS._replace(headers_per_repl=64, memory_per_repl=200 << 20)) as b:
        for proof in (A, B, C, A, B, C):
            assert (await b.verify(proof)).reason is Reason.OK
        sizes = b.pool._shared.sizes
        assert 1 << 20 < b.pool._dispatcher.slots[0].process._wear.memory < 100 << 20  # type: ignore[union-attr]
        assert sizes.expected < 5 << 20
    assert starts(no_process_left) == 1


async def test_a_spare_keeps_a_header_warm_while_the_slot_works_on_another(no_process_left: Path) -> None:  # noqa: F811
    async with bench(rules=Rules(spares=1)) as b:
        cold = [(await b.verify(proof)).timings.import_ > 0 for proof in (A, B, A, B, A)]
        assert len(living(no_process_left)) == 2
    assert cold == [True, True, False, False, False]


async def test_with_spares_no_more_run_at_once_than_slots() -> None:
    async with bench(rules=Rules(spares=2), slots=1) as b:
        outcomes = [b.submit(f"{proof} -- fake: sleep 0.1") for proof in (A, B, C)]
        while not all(outcome.done() for outcome in outcomes):
            assert b.pool.running <= 1
            await asyncio.sleep(0.01)


async def test_the_process_of_a_time_out_is_replaced_before_it_is_needed(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        for _ in range(3):
            await b.verify(A)
        assert (await b.verify(f"{A} -- fake: hang", timeout=0.3)).reason is Reason.TIMEOUT
        await until(
            lambda: starts(no_process_left) == 2 and b.pool._dispatcher.slots[0].process.state.headers, "warm again"
        )
        assert (await b.verify(A)).timings.import_ == 0


async def test_prewarm_imports_each_header_once_and_the_first_everywhere(no_process_left: Path) -> None:  # noqa: F811
    pool = Pool(fake(), slots=2, limits=LIMITS)
    first, *_ = headers = parse_prewarm("A; B; C")
    try:
        await pool.start(headers)
        assert starts(no_process_left) >= 3
        await until(
            lambda: all(first.fingerprint in slot.process.state.headers for slot in pool._dispatcher.slots),
            "the first is everywhere",
        )
    finally:
        await pool.close()


async def test_a_header_of_prewarm_that_cannot_be_imported_stops_the_start() -> None:
    pool = Pool(fake(), slots=1, limits=LIMITS)
    try:
        with pytest.raises(ReplUnavailable, match=r"`import Missing.Module` cannot be imported: object file"):
            await pool.start(parse_prewarm("A; Missing.Module"))
        with pytest.raises(ReplUnavailable, match=r"`import Exit` cannot be imported: "):
            await pool.start(parse_prewarm("Exit"))
    finally:
        await pool.close()


async def test_what_was_hot_is_warm_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "headers.json"
    for expected in (True, False):
        pool = Pool(fake(), slots=1, limits=LIMITS, saved_headers=file)
        await pool.start()
        try:
            if not expected:
                await until(lambda pool=pool: pool._dispatcher.slots[0].process.state.headers, "it is warm")
            done: asyncio.Queue[Verdict] = asyncio.Queue()
            for _ in range(3):
                pool.submit(job(A), lambda _job, verdict, done=done: done.put_nowait(verdict))  # type: ignore[misc]
            assert ((await done.get()).timings.import_ > 0) is expected
        finally:
            await pool.close()
    assert [stat.header.canonical for stat in read_saved_headers(file)] == ["import A\n"]


async def test_those_that_wait_with_a_header_that_is_refused_wait_for_no_slot(no_process_left: Path) -> None:  # noqa: F811
    (no_process_left / "lake-manifest.json").write_text('{"packages": []}')
    command = ReplCommand(fake().argv, None, no_process_left, "lean", wrapped=False)
    async with bench(command) as b:
        outcomes = [b.submit(f"import Missing.Module\ntheorem t{number}") for number in range(20)]
        verdicts = await asyncio.gather(*outcomes)
        assert {verdict.reason for verdict in verdicts} == {Reason.HEADER_ERROR}
        slow = b.submit(f"{A} -- fake: sleep 0.5")
        await until(lambda: b.pool.running == 1, "the slot is busy")
        assert (await b.verify("import Missing.Module\nt")).reason is Reason.HEADER_ERROR
        assert not slow.done()
        await slow
    assert starts(no_process_left) == 2


async def test_held_it_starts_only_what_runs_alone() -> None:
    async with bench() as b:
        assert not b.pool.paused
        b.pool.pause()
        assert b.pool.paused
        waiting = b.submit("theorem t")
        done = asyncio.get_running_loop().create_future()
        b.pool.submit(job("theorem t"), lambda _job, verdict: done.set_result(verdict), alone=True)
        assert (await done).reason is Reason.OK
        assert not waiting.done()
        b.pool.resume()
        assert (await waiting).reason is Reason.OK
        b.pool.drain()
        b.pool.pause()
        assert not b.pool.paused, "it drains for good: there is nothing to resume"


async def test_a_header_that_waits_is_served_in_time_although_the_slot_has_other_work() -> None:
    async with bench(rules=Rules(patience=0.2, quantum=0.0)) as b:
        running = [b.submit(f"{A} -- fake: sleep 0.05") for _ in range(40)]
        other = b.submit(B)
        await other
        assert sum(outcome.done() for outcome in running) < 30
