"""The pool with a scripted REPL: each reason, what is tried again, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from repl_fakes import LIMITS, bench, fake, no_process_left, starts, until  # noqa: F401 - a fixture

from streamverify.core.messages.models import Reason
from streamverify.lean import import_errors
from streamverify.lean import slot as slot_module
from streamverify.lean.repl import session
from streamverify.lean.repl.command import ReplCommand

if TYPE_CHECKING:
    from streamverify.core.job import Verdict

pytestmark = [pytest.mark.usefixtures("no_process_left")]


async def test_an_honest_proof_is_ok_and_the_next_finds_the_header_warm(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        first = await b.verify("import Slow\ntheorem t : True := trivial")
        second = await b.verify("import Slow\ntheorem t : True := trivial")
    assert (first.reason, first.attempts) == (Reason.OK, 1)
    assert first.timings.import_ >= 0.3
    assert second.timings.import_ == 0.0
    assert second.timings.total >= second.timings.run > 0
    assert second.response is not None
    assert second.response.time > 0
    assert starts(no_process_left) == 1


@pytest.mark.parametrize(
    ("directive", "reason", "attempts"),
    [
        ("error", Reason.LEAN_ERROR, 1),
        ("sorry", Reason.SORRY, 1),
        ("sorries", Reason.SORRY, 1),
        ("exit 0", Reason.PROTOCOL_VIOLATION, 2),
        ("exit 1", Reason.PROTOCOL_VIOLATION, 2),
        ("exit 137", Reason.PROTOCOL_VIOLATION, 2),
        ("signal SIGSEGV", Reason.REPL_CRASH, 2),
        ("signal SIGABRT", Reason.REPL_CRASH, 2),
        ("signal SIGBUS", Reason.REPL_CRASH, 2),
        ("signal SIGTERM", Reason.REPL_CRASH, 2),
        ("signal SIGKILL", Reason.OUT_OF_MEMORY, 2),
        ("panic", Reason.OUT_OF_MEMORY, 2),
        ("partial 0", Reason.PROTOCOL_VIOLATION, 2),
        ("last-words", Reason.PROTOCOL_VIOLATION, 2),
        ("before", Reason.PROTOCOL_VIOLATION, 2),
        ("slow-before", Reason.PROTOCOL_VIOLATION, 2),
        ("after", Reason.PROTOCOL_VIOLATION, 2),
        ("after-half", Reason.PROTOCOL_VIOLATION, 2),
        ("raw not json", Reason.PROTOCOL_VIOLATION, 2),
        ("raw []", Reason.PROTOCOL_VIOLATION, 2),
        ('raw {"env": "1"}', Reason.PROTOCOL_VIOLATION, 2),
        ('raw {"env": true}', Reason.PROTOCOL_VIOLATION, 2),
        ('raw {"env": 1, "messages": {}}', Reason.PROTOCOL_VIOLATION, 2),
        ('raw {"env": 1, "messages": [{"severity": "error"}]}', Reason.PROTOCOL_VIOLATION, 2),
        ('raw {"proofState": 1, "goals": []}', Reason.PROTOCOL_VIOLATION, 2),
        (r'raw {"env": 1, "x": "\xff"}', Reason.PROTOCOL_VIOLATION, 2),
        ("child 0", Reason.PROTOCOL_VIOLATION, 2),
        ("close-out", Reason.PROTOCOL_VIOLATION, 2),
        ("close-in", Reason.PROTOCOL_VIOLATION, 2),
        ("refuse Unknown environment.", Reason.WORKER_ERROR, 2),
        ("refuse no recording", Reason.NO_RECORDING, 1),
        ("deep 3000", Reason.TOO_LARGE, 1),
        ("big 9000000", Reason.TOO_LARGE, 1),
    ],
)
async def test_what_a_body_does_gives_its_reason_and_the_pool_goes_on(
    directive: str, reason: Reason, attempts: int
) -> None:
    async with bench() as b:
        await b.verify("theorem t : True := trivial")
        verdict = await b.verify(f"theorem t -- fake: {directive}")
        assert (verdict.reason, verdict.attempts) == (reason, attempts), verdict.summary
        assert verdict.summary
        assert (await b.verify("theorem t : True := trivial")).reason is Reason.OK


@pytest.mark.parametrize(
    "directive",
    ["exit 0", "signal SIGSEGV", "signal SIGKILL", "panic", "before", "after", "raw x", "refuse x", "last-words"],
)
async def test_what_does_not_happen_again_in_a_fresh_process_is_not_held_against_the_proof(directive: str) -> None:
    async with bench() as b:
        verdict = await b.verify(f"theorem t -- fake: once {directive}")
    assert (verdict.reason, verdict.attempts) == (Reason.OK, 2)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(139, Reason.REPL_CRASH), (137, Reason.OUT_OF_MEMORY), (134, Reason.REPL_CRASH), (2, Reason.PROTOCOL_VIOLATION)],
)
async def test_under_a_wrapper_an_exit_status_may_be_a_signal(status: int, reason: Reason) -> None:
    async with bench(fake(wrapped=True)) as b:
        assert (await b.verify(f"theorem t -- fake: exit {status}")).reason is reason


@pytest.mark.parametrize(
    ("module", "reason", "attempts"),
    [
        ("Exit", Reason.IMPORT_FAILED, 1),
        ("Crash", Reason.REPL_CRASH, 2),
        ("Refuse", Reason.IMPORT_FAILED, 2),
        ("Forge", Reason.IMPORT_FAILED, 2),
        ("Silent", Reason.IMPORT_FAILED, 1),
        ("Missing.Module", Reason.IMPORT_FAILED, 1),
        ("NoRecording", Reason.NO_RECORDING, 1),
    ],
)
async def test_what_a_header_does_gives_its_reason(module: str, reason: Reason, attempts: int) -> None:
    async with bench() as b:
        verdict = await b.verify(f"import {module}\ntheorem t")
        assert (verdict.reason, verdict.attempts) == (reason, attempts), verdict.summary
        assert (await b.verify("theorem t : True := trivial")).reason is Reason.OK


async def test_a_failed_import_has_leans_message_at_the_import_that_it_names() -> None:
    async with bench() as b:
        verdict = await b.verify("\n\n  import Missing.Module\ntheorem t")
    assert verdict.response is not None
    assert [(m["pos"], m["severity"]) for m in verdict.response.messages] == [({"line": 3, "column": 2}, "error")]
    assert verdict.summary.startswith("line 3, column 2: object file")


async def test_a_header_error_is_remembered_and_starts_no_process(
    no_process_left: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (no_process_left / "lake-manifest.json").write_text('{"packages": [{"name": "mathlib"}]}')
    command = ReplCommand(fake().argv, None, no_process_left, "lean", wrapped=False)
    async with bench(command) as b:
        first = await b.verify("import Missing.Module\ntheorem t")
        second = await b.verify("-- elsewhere\nimport Missing.Module\ntheorem t")
        assert (first.reason, second.reason) == (Reason.HEADER_ERROR, Reason.HEADER_ERROR)
        assert starts(no_process_left) == 1
        assert second.response is not None
        assert second.response.messages[0]["pos"] == {"line": 2, "column": 0}
        monkeypatch.setattr(import_errors, "FAILED_HEADER_TTL", 0.0)
        other = await b.verify("import Missing.Module\nimport Other\ntheorem t")
        again = await b.verify("import Missing.Module\nimport Other\ntheorem t")
        assert (other.reason, again.reason) == (Reason.HEADER_ERROR, Reason.HEADER_ERROR)
    assert starts(no_process_left) == 3


async def test_a_time_out_kills_only_its_own_process() -> None:
    async with bench(slots=2) as b:
        hanging = b.submit("theorem t -- fake: hang", timeout=1.0, custom_id="hangs")
        slow = b.submit("theorem t -- fake: sleep 1.6", custom_id="slow")
        verdict, other = await asyncio.gather(hanging, slow)
    assert (verdict.reason, verdict.attempts) == (Reason.TIMEOUT, 1)
    assert verdict.timings.run >= 1.0
    assert (other.reason, other.attempts) == (Reason.OK, 1)


async def test_an_import_has_its_own_clock() -> None:
    limits = LIMITS._replace(import_timeout=0.5)
    async with bench(limits=limits) as b:
        verdict = await b.verify("import Hang\ntheorem t")
        assert (verdict.reason, verdict.attempts) == (Reason.IMPORT_TIMEOUT, 1)
        assert verdict.timings.import_ >= 0.5
    async with bench() as b:
        assert (await b.verify("import Slower\ntheorem t", timeout=1.8)).reason is Reason.OK


async def test_a_request_cannot_have_more_than_the_longest_time_out() -> None:
    async with bench(limits=LIMITS._replace(max_timeout=0.5)) as b:
        assert (await b.verify("theorem t -- fake: hang", timeout=3600.0)).reason is Reason.TIMEOUT


async def test_silence_after_the_proof_is_no_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CHECK_TIMEOUT", 0.5)
    async with bench() as b:
        verdict = await b.verify("theorem t -- fake: mute")
    assert (verdict.reason, verdict.attempts) == (Reason.TIMEOUT, 2)


async def test_a_pause_of_our_own_is_not_leans_time() -> None:
    async with bench() as b:
        await b.verify("theorem t")
        answered = b.submit("theorem t -- fake: sleep 0.2", timeout=1.4)
        # The answer comes while this process stands still, and the time-out fires late.
        await asyncio.sleep(0.05)
        time.sleep(1.5)  # noqa: ASYNC251 - emulates SIGSTOP
        assert (await answered).reason is Reason.OK
        again = b.submit("theorem t -- fake: once hang", timeout=1.4)
        await asyncio.sleep(0.05)
        time.sleep(3)  # noqa: ASYNC251 - emulates SIGSTOP
        verdict = await again
    assert (verdict.reason, verdict.attempts) == (Reason.OK, 2)


async def test_late_bytes_hit_neither_their_own_proof_nor_the_next() -> None:
    async with bench() as b:
        guilty = await b.verify("theorem t -- fake: late 0.3")
        innocent = await b.verify("theorem t -- fake: sleep 0.6")
    assert guilty.reason is Reason.OK
    assert (innocent.reason, innocent.attempts) == (Reason.OK, 2)


async def test_bytes_while_idle_replace_the_process(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        await b.verify("theorem t -- fake: late 0.1")
        await asyncio.sleep(0.5)
        assert (await b.verify("theorem t")).attempts == 1
    assert starts(no_process_left) == 2


async def test_a_process_killed_while_idle_is_replaced_at_next_use(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        pid = _info(await b.verify("theorem t -- fake: pid"))
        os.kill(int(pid), signal.SIGKILL)
        await asyncio.sleep(0.2)
        verdict = await b.verify("theorem t")
    assert (verdict.reason, verdict.attempts, starts(no_process_left)) == (Reason.OK, 1, 2)


async def test_an_answer_of_several_megabytes_and_a_flood_on_stderr() -> None:
    async with bench() as b:
        big = await b.verify("theorem t -- fake: big 5000000")
        assert len(_info(big)) == 5_000_000
        assert (await b.verify("theorem t -- fake: stderr 2000000")).reason is Reason.OK


@pytest.mark.parametrize("directive", ["bigtree 9000000", "deeptree 3000"])
async def test_too_much_infotree_is_left_out_and_said_so(directive: str) -> None:
    async with bench() as b:
        verdict = await b.verify(f"theorem t -- fake: {directive}", infotree_type="full", all_tactics=True)
        assert (verdict.reason, verdict.attempts) == (Reason.OK, 2)
        assert verdict.truncated == ("infotree", "tactics")
        assert (await b.verify("theorem t -- fake: big 9000000", infotree_type="full")).reason is Reason.TOO_LARGE


async def test_an_answer_beyond_the_maximum_that_begins_with_errors_is_a_rejection() -> None:
    async with bench() as b:
        verdict = await b.verify("theorem t -- fake: errors 100000")
        assert (verdict.reason, verdict.attempts) == (Reason.LEAN_ERROR, 2)
        assert verdict.summary.startswith("line 1, column 0: wrong 0 (and ")
        assert verdict.truncated == ("messages",)
        assert verdict.response is not None
        assert [each["data"] for each in verdict.response.messages[:3]] == ["wrong 0", "wrong 1", "wrong 2"]
        extras = await b.verify("theorem t -- fake: errors 100000", infotree_type="full")
        assert (extras.reason, extras.attempts, extras.truncated) == (Reason.LEAN_ERROR, 2, ("infotree", "messages"))
        assert (await b.verify("theorem t -- fake: big 9000000")).reason is Reason.TOO_LARGE


async def test_a_crash_that_happens_alike_in_a_fresh_process_is_not_to_be_tried_again() -> None:
    async with bench() as b:
        alike = await b.verify("theorem t -- fake: signal SIGSEGV")
        assert (alike.reason, alike.attempts, alike.final) == (Reason.REPL_CRASH, 2, True)
        once = await b.verify("theorem t -- fake: once signal SIGSEGV")
        assert (once.reason, once.attempts) == (Reason.OK, 2)
        others = await b.verify("theorem t -- fake: signal SIGTERM")
        assert (others.reason, others.attempts, others.final) == (Reason.REPL_CRASH, 2, False)


async def test_what_is_asked_of_lean() -> None:
    async with bench() as b:
        plain = json.loads(_info(await b.verify("import A\n\n  theorem t -- fake: echo")))
        rich = json.loads(_info(await b.verify("t -- fake: echo", infotree_type="tactics", all_tactics=True)))
    assert plain == {"cmd": "        \n\n  theorem t -- fake: echo", "env": 0}
    assert rich == {"cmd": "t -- fake: echo", "env": 0, "infotree": "tactics", "allTactics": True}


async def test_disable_cache_gets_a_fresh_process(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        await b.verify("theorem t")
        verdict = await b.verify("theorem t", disable_cache=True)
        await b.verify("theorem t")
    assert verdict.timings.import_ > 0
    assert starts(no_process_left) == 2


async def test_a_deadline_that_has_passed_is_not_started(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        verdict = await b.verify("theorem t", deadline=datetime.now(UTC) - timedelta(seconds=1))
        assert (verdict.reason, starts(no_process_left)) == (Reason.EXPIRED, 0)
        assert (await b.verify("theorem t", deadline=datetime.now(UTC) + timedelta(hours=1))).reason is Reason.OK


async def test_an_error_of_our_own_is_a_worker_error_and_the_pool_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench() as b:
        with monkeypatch.context() as patched:
            patched.setattr(slot_module, "verdict_on_response", lambda *_: 1 / 0)
            verdict = await b.verify("theorem t")
        assert verdict.reason is Reason.WORKER_ERROR
        assert "ZeroDivisionError" in verdict.summary
        assert (await b.verify("theorem t")).reason is Reason.OK


async def test_a_repl_that_cannot_be_started_answers_and_does_not_hang() -> None:
    gone = ReplCommand(("/nonexistent/repl",), None, None, "lean", wrapped=False)
    async with bench(gone, slots=2) as b:
        verdicts = await asyncio.gather(*(b.verify("theorem t") for _ in range(3)))
    assert {(v.reason, v.attempts) for v in verdicts} == {(Reason.WORKER_ERROR, 1)}
    assert "cannot be started" in verdicts[0].summary


async def test_repeated_failures_to_start_are_slowed_down(no_process_left: Path) -> None:  # noqa: F811
    async with bench(fake("--broken")) as b:
        outcomes = [b.submit("theorem t") for _ in range(50)]
        assert (await outcomes[0]).reason is Reason.IMPORT_FAILED
        await asyncio.sleep(1.0)
        assert starts(no_process_left) < 6


async def test_a_header_that_is_refused_is_no_failure_to_start() -> None:
    async with bench() as b:
        await b.verify("import Exit\ntheorem t")
        assert b.pool._dispatcher.slots[0].process.failed_starts == 1
        await b.verify("import Missing.Module\ntheorem t")
        assert b.pool._dispatcher.slots[0].process.failed_starts == 0


async def test_what_an_earlier_proof_wrote_to_stderr_excuses_no_later_one() -> None:
    async with bench() as b:
        assert (await b.verify("theorem t -- fake: panic-text")).reason is Reason.OK
        assert (await b.verify("theorem t -- fake: exit 1")).reason is Reason.PROTOCOL_VIOLATION


async def test_children_that_hold_the_pipes_open_are_killed_with_their_leader(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        assert (await b.verify("theorem t -- fake: child 0")).reason is Reason.PROTOCOL_VIOLATION
        child = (no_process_left / "child").read_text()
        await until(lambda: _dead(child), "the child is killed")


def test_it_works_under_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")

    async def scenario() -> list[Reason]:
        async with bench(slots=2) as b:
            tricks = ("ok", "big 3000000", "exit 0", "signal SIGSEGV", "before", "hang", "child 0", "close-out", "ok")
            verdicts = await asyncio.gather(*(b.verify(f"t -- fake: {each}", timeout=2.0) for each in tricks))
        return [v.reason for v in verdicts]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        reasons = runner.run(scenario())
    violation = Reason.PROTOCOL_VIOLATION
    assert reasons == [
        *(Reason.OK, Reason.OK, violation, Reason.REPL_CRASH, violation),
        *(Reason.TIMEOUT, violation, violation, Reason.OK),
    ]


def _info(verdict: Verdict) -> str:
    assert verdict.response is not None
    return verdict.response.messages[0]["data"]


def _dead(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
