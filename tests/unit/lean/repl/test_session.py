"""One session with a scripted REPL, below the pool: what `ask` raises, and when."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from repl_fakes import fake, no_process_left, until  # noqa: F401 - a fixture

from streamverify.lean.repl import session as session_module
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.errors import (
    AnswerTooLarge,
    Cause,
    ChannelBroken,
    Died,
    Killed,
    ReplFailure,
    StartFailed,
    TimedOut,
    WorkerSuspended,
)
from streamverify.lean.repl.protocol import decode_answer, encode_check, encode_command, is_nonce
from streamverify.lean.repl.session import ReplSession
from streamverify.lean.repl.stderr_kept import STDERR_KEPT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.usefixtures("no_process_left")]

LONG = 20.0


@contextlib.asynccontextmanager
async def session(*arguments: str, wrapped: bool = False, largest: int = 1 << 20) -> AsyncIterator[ReplSession]:
    """A started session, its blank header imported."""
    running = ReplSession(fake(*arguments, wrapped=wrapped), max_answer_bytes=largest)
    try:
        yield running
    finally:
        await running.close()


def body(trick: str) -> bytes:
    return encode_command(f"t -- fake: {trick}", env=0)


async def opened(running: ReplSession) -> None:
    assert decode_answer(await running.ask(encode_command(""), LONG)).env == 0


def oom_score_adj(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


async def test_commands_and_answers_in_turn() -> None:
    async with session() as running:
        await opened(running)
        envs = [decode_answer(await running.ask(body("ok"), LONG)).env for _ in range(20)]
    assert envs == list(range(1, 21))


async def test_the_check_is_written_when_the_answer_before_it_was_read_and_not_before() -> None:
    async with session() as running:
        await opened(running)
        written: list[tuple[bytes, float]] = []
        write, begun = running._process.write, time.monotonic()

        def note(data: bytes | memoryview) -> None:
            written.append((bytes(data), time.monotonic() - begun))
            write(data)

        running._process.write = note  # type: ignore[method-assign]
        command, check = body("sleep 0.3"), encode_check("0123", 0)
        first, seconds, second = await running.ask_and_check(command, LONG, check)
        assert decode_answer(first).env == 1
        assert isinstance(second, bytes)
        assert is_nonce(decode_answer(second), "0123")
        assert [data for data, _ in written] == [command, check]
        # The answer took 0.3 s to come: a check that did not wait for it would have been written sooner.
        assert seconds >= 0.2
        assert written[1][1] - written[0][1] >= 0.2


async def test_what_comes_with_the_first_answer_ends_it_before_the_check_is_written() -> None:
    async with session() as running:
        await opened(running)
        written: list[bytes | memoryview] = []
        running._process.write, write = written.append, running._process.write  # type: ignore[method-assign, assignment]
        write(body("after"))
        with pytest.raises(ChannelBroken):
            await running.ask_and_check(b"", LONG, encode_check("0123", 0))
        assert written == [b""]


@pytest.mark.parametrize(("trick", "failure"), [("last-words", Died), ("mute", TimedOut), ("close-in", ChannelBroken)])
async def test_a_check_without_its_answer_keeps_the_first(
    trick: str, failure: type[ReplFailure], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "CHECK_TIMEOUT", 1.5)
    async with session() as running:
        await opened(running)
        first, _, second = await running.ask_and_check(body(trick), LONG, encode_check("0123", 0))
        assert decode_answer(first).env == 1
        assert isinstance(second, failure)
        assert running.failure is second


async def test_a_command_larger_than_the_pipe_arrives_whole() -> None:
    async with session(largest=8 << 20) as running:
        await opened(running)
        text = "∃" * 700_000 + " -- fake: echo"
        answer = decode_answer(await running.ask(encode_command(text, env=0), LONG))
    assert text[:100] in answer.fields["messages"][0]["data"].encode().decode("unicode_escape")
    assert len(answer.fields["messages"][0]["data"]) > 6 * 700_000


async def test_it_is_the_first_that_the_oom_killer_takes_and_has_its_own_session() -> None:
    async with session() as running:
        await opened(running)
        assert oom_score_adj(running.pid) == 1000
        assert os.getsid(running.pid) == os.getpgid(running.pid) == running.pid


async def test_a_death_is_noticed_at_once_and_stays_known() -> None:
    async with session() as running:
        await opened(running)
        with pytest.raises(Died) as first:
            await running.ask(body("signal SIGSEGV"), 3600.0)
        with pytest.raises(Died) as again:
            await running.ask(body("ok"), 3600.0)
    assert first.value.death.cause is Cause.CRASH
    assert again.value is first.value


async def test_a_death_while_idle_is_known_at_the_next_command() -> None:
    async with session() as running:
        await opened(running)
        os.kill(running.pid, 9)
        await until(lambda: running.failure is not None, "the death is noticed")
        with pytest.raises(Died):
            await running.ask(body("ok"), LONG)


async def test_writing_to_a_process_that_just_died_raises_nothing_out_of_turn() -> None:
    async with session() as running:
        await opened(running)
        os.kill(running.pid, 9)
        time.sleep(0.2)  # noqa: ASYNC251 - the loop must not see the death before it writes
        with pytest.raises(Died):
            await running.ask(encode_command("x" * 1_000_000, env=0), LONG)


async def test_an_answer_written_just_before_death_is_read() -> None:
    async with session() as running:
        await opened(running)
        assert decode_answer(await running.ask(body("last-words"), LONG)).env == 1
        with pytest.raises(Died):
            await running.ask(body("ok"), LONG)


async def test_an_answer_is_read_however_the_loop_orders_its_events() -> None:
    # Loops differ in what they run first: uvloop runs timers before it reads.
    async with session() as running:
        await opened(running)
        asking = asyncio.ensure_future(running.ask(body("last-words"), LONG))
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - answer and death come while the loop does not look
        running._process._reap()
        assert decode_answer(await asking).env == 1


async def test_a_time_out_first_looks_whether_the_answer_is_there() -> None:
    async with session() as running:
        await opened(running)
        asking = asyncio.ensure_future(running.ask(body("ok"), 0.2))
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - the answer comes while the loop does not look
        running._time._look()
        assert decode_answer(await asking).env == 1


async def test_a_time_out_that_finds_the_answer_leaves_the_check_its_own_time() -> None:
    """A loop that was held up past the deadline reads the answer first, and the check has only begun then."""
    async with session() as running:
        await opened(running)
        asking = asyncio.ensure_future(running.ask_and_check(body("ok"), 0.2, encode_check("0123", 0)))
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - the answer comes while the loop does not look
        running._time._look()
        first, _, second = await asking
        assert decode_answer(first).env == 1
        assert isinstance(second, bytes)
        assert is_nonce(decode_answer(second), "0123")


async def test_half_an_answer_is_none() -> None:
    async with session() as running:
        await opened(running)
        with pytest.raises(Died, match="exit status 5"):
            await running.ask(body("partial 5"), LONG)


async def test_the_first_and_the_last_of_stderr_are_kept() -> None:
    async with session() as running:
        await opened(running)
        await running.ask(body("stderr 400000"), LONG)
        await until(lambda: running.stderr.read().endswith(b"y" * (STDERR_KEPT // 2)), "stderr is drained")
        assert running.stderr.read().startswith(b"x" * 79 + b"\n")


@pytest.mark.parametrize("frames", [0, 10, 5_000, 5_001, 5_432, 9_999])
async def test_what_lean_met_is_said_however_long_its_backtrace(frames: int) -> None:
    async with session() as running:
        await opened(running)
        with pytest.raises(Died) as caught:
            await running.ask(body(f"recursion {frames}"), LONG)
    assert str(caught.value) == "The REPL was ended by SIGABRT: deep recursion was detected"


async def test_a_panic_on_stderr_is_seen_with_the_death() -> None:
    async with session() as running:
        await opened(running)
        with pytest.raises(Died, match="INTERNAL PANIC: out of memory") as caught:
            await running.ask(body("panic"), LONG)
    assert caught.value.death.cause is Cause.MEMORY


async def test_a_time_out_is_one() -> None:
    async with session() as running:
        await opened(running)
        with pytest.raises(TimedOut):
            await running.ask(body("hang"), 0.2)


async def test_a_late_time_out_is_none() -> None:
    async with session() as running:
        await opened(running)
        asking = asyncio.ensure_future(running.ask(body("hang"), 0.2))
        await asyncio.sleep(0.05)
        time.sleep(1.4)  # noqa: ASYNC251 - emulates SIGSTOP
        with pytest.raises(WorkerSuspended):
            await asking


async def test_an_answer_larger_than_allowed_ends_the_process() -> None:
    async with session(largest=100_000) as running:
        await opened(running)
        with pytest.raises(AnswerTooLarge, match="100000 bytes"):
            await running.ask(body("big 3000000"), LONG)


@pytest.mark.parametrize("trick", ["after", "after-half", "late 0.05"])
async def test_surplus_output_breaks_the_channel(trick: str) -> None:
    async with session() as running:
        await opened(running)
        assert decode_answer(await running.ask(body(trick), LONG)).env == 1
        await until(lambda: running.failure is not None, "the surplus is noticed")
        with pytest.raises(ChannelBroken, match="nobody had asked for"):
            await running.ask(body("ok"), LONG)


async def test_a_closed_output_breaks_the_channel_before_any_time_out() -> None:
    async with session() as running:
        await opened(running)
        with pytest.raises(ChannelBroken, match="closed its input or its output"):
            await running.ask(body("close-out"), 3600.0)


async def test_a_closed_input_breaks_the_channel_before_any_time_out() -> None:
    async with session() as running:
        await opened(running)
        await running.ask(body("close-in"), LONG)
        with pytest.raises(ChannelBroken, match="closed its input or its output"):
            await running.ask(body("ok"), 3600.0)


async def test_children_do_not_hide_the_death_of_their_leader(no_process_left: Path) -> None:  # noqa: F811
    async with session() as running:
        await opened(running)
        with pytest.raises(Died, match="exit status 4"):
            await running.ask(body("child 4"), 3600.0)
    assert (no_process_left / "child").exists()


async def test_killed_by_us_it_says_so_and_can_be_killed_again() -> None:
    async with session() as running:
        await opened(running)
        running.kill()
        await running.close()
        with pytest.raises(ChannelBroken, match="was killed"):
            await running.ask(body("ok"), LONG)


async def test_killed_by_us_while_it_runs_whoever_waits_hears_of_it_at_once() -> None:
    """And not when the time-out is over: until then its slot would do nothing."""
    async with session() as running:
        await opened(running)
        asking = asyncio.ensure_future(running.ask(body("hang"), 3600.0))
        await asyncio.sleep(0.05)
        running.kill()
        with pytest.raises(Killed):
            await asyncio.wait_for(asking, 60)


async def test_cancelled_in_the_middle_it_can_be_closed() -> None:
    async with session() as running:
        await opened(running)
        asking = asyncio.ensure_future(running.ask(body("hang"), LONG))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize("executable", ["/nonexistent/repl", "/", "nul\0byte"])
async def test_what_cannot_be_started_says_so(executable: str) -> None:
    with pytest.raises(StartFailed, match="cannot be started"):
        ReplSession(ReplCommand((executable,), None, None, "lean", wrapped=False), max_answer_bytes=1)


async def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts itself the same way both times
    for trick in ("ok", "exit 0", "hang", "after", "close-out", "child 0"):
        async with session() as running:
            await opened(running)
            with contextlib.suppress(ReplFailure):
                await running.ask(body(trick), 0.3)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
