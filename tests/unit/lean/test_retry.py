"""A failure is tried again, or has its verdict."""

from __future__ import annotations

from typing import Any

import pytest

from streamverify.core.messages.models import ProofRequest, Reason
from streamverify.lean.repl.errors import (
    AnswerTooLarge,
    Cause,
    ChannelBroken,
    ChannelCheckTimedOut,
    Death,
    Died,
    NoRecording,
    Refused,
    ReplFailure,
    StartFailed,
    TimedOut,
    TooDeep,
    WorkerSuspended,
)
from streamverify.lean.retry import MAX_SUSPENSIONS, Attempts

CRASH = Died(Death(Cause.CRASH, "crash"))
MEMORY = Died(Death(Cause.MEMORY, "memory"))
EXIT = Died(Death(Cause.EXIT, "exit"))
BROKEN = ChannelBroken("broken")


def outcome(*failures: ReplFailure, importing: bool = False, **request: Any) -> tuple[Reason | None, int]:
    """The reason after these failures, and how many of them it took."""
    tries = Attempts(ProofRequest(custom_id="x", proof="", **request))
    for failure in failures:
        tries.count += 1
        verdict = tries.after(failure, importing=importing)
        if verdict is not None:
            assert verdict.summary == str(failure)
            return verdict.reason, verdict.attempts
    return None, tries.count


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ((TimedOut(),), (Reason.TIMEOUT, 1)),
        ((StartFailed(),), (Reason.WORKER_ERROR, 1)),
        ((NoRecording(),), (Reason.NO_RECORDING, 1)),
        ((CRASH,), (None, 1)),
        ((CRASH, CRASH), (Reason.REPL_CRASH, 2)),
        ((MEMORY, MEMORY), (Reason.OUT_OF_MEMORY, 2)),
        ((CRASH, MEMORY), (Reason.OUT_OF_MEMORY, 2)),
        ((EXIT,), (None, 1)),
        ((EXIT, EXIT), (Reason.PROTOCOL_VIOLATION, 2)),
        ((BROKEN, EXIT), (Reason.PROTOCOL_VIOLATION, 2)),
        ((EXIT, BROKEN), (Reason.PROTOCOL_VIOLATION, 2)),
        ((CRASH, EXIT), (Reason.REPL_CRASH, 2)),
        ((MEMORY, BROKEN), (Reason.OUT_OF_MEMORY, 2)),
        ((EXIT, CRASH), (Reason.REPL_CRASH, 2)),
        ((EXIT, TimedOut()), (Reason.TIMEOUT, 2)),
        ((Refused(), Refused()), (Reason.WORKER_ERROR, 2)),
        ((ChannelCheckTimedOut(), ChannelCheckTimedOut()), (Reason.TIMEOUT, 2)),
        ((ChannelCheckTimedOut(), EXIT), (Reason.TIMEOUT, 2)),
        ((AnswerTooLarge(),), (Reason.TOO_LARGE, 1)),
        ((TooDeep(),), (Reason.TOO_LARGE, 1)),
    ],
)
def test_after_the_import(failures: tuple[ReplFailure, ...], expected: tuple[Reason | None, int]) -> None:
    assert outcome(*failures) == expected


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ((TimedOut(),), (Reason.IMPORT_TIMEOUT, 1)),
        ((EXIT,), (Reason.IMPORT_FAILED, 1)),
        ((CRASH, CRASH), (Reason.REPL_CRASH, 2)),
        ((MEMORY, MEMORY), (Reason.OUT_OF_MEMORY, 2)),
        ((BROKEN,), (None, 1)),
        ((BROKEN, BROKEN), (Reason.IMPORT_FAILED, 2)),
        ((Refused(), Refused()), (Reason.IMPORT_FAILED, 2)),
        ((ChannelCheckTimedOut(), ChannelCheckTimedOut()), (Reason.IMPORT_FAILED, 2)),
        ((AnswerTooLarge(), TooDeep()), (Reason.IMPORT_FAILED, 2)),
        ((NoRecording(),), (Reason.NO_RECORDING, 1)),
    ],
)
def test_while_importing(failures: tuple[ReplFailure, ...], expected: tuple[Reason | None, int]) -> None:
    assert outcome(*failures, importing=True) == expected


def test_our_own_pauses_are_tried_again_for_a_while_and_are_no_try_of_the_proof() -> None:
    pauses = [WorkerSuspended()] * MAX_SUSPENSIONS
    assert outcome(*pauses) == (None, MAX_SUSPENSIONS)
    assert outcome(*pauses, WorkerSuspended()) == (Reason.WORKER_ERROR, MAX_SUSPENSIONS + 1)
    assert outcome(WorkerSuspended(), CRASH) == (None, 2)
    assert outcome(WorkerSuspended(), CRASH, CRASH) == (Reason.REPL_CRASH, 3)


@pytest.mark.parametrize(
    ("request_fields", "left_out"),
    [
        ({"infotree_type": "full"}, ("infotree",)),
        ({"all_tactics": True}, ("tactics",)),
        ({"infotree_type": "full", "all_tactics": True}, ("infotree", "tactics")),
    ],
)
@pytest.mark.parametrize("failure", [AnswerTooLarge(), TooDeep()])
def test_extras_are_left_out_once(
    request_fields: dict[str, Any], left_out: tuple[str, ...], failure: ReplFailure
) -> None:
    tries = Attempts(ProofRequest(custom_id="x", proof="", **request_fields))
    assert tries.extras
    assert tries.after(failure, importing=False) is None
    assert not tries.extras
    assert tries.truncated == left_out
    verdict = tries.after(failure, importing=False)
    assert verdict is not None
    assert (verdict.reason, verdict.truncated) == (Reason.TOO_LARGE, left_out)


SEGV = Died(Death(Cause.CRASH, "crash", "was ended by SIGSEGV"))
ABORT = Died(Death(Cause.CRASH, "PANIC", "was ended by SIGABRT"))


@pytest.mark.parametrize(
    ("failures", "final"),
    [
        ((SEGV, SEGV), True),
        ((ABORT, ABORT), True),
        ((SEGV, ABORT), False),
        ((CRASH, CRASH), False),
        ((EXIT, SEGV), False),
        ((MEMORY, MEMORY), False),
        ((WorkerSuspended(), SEGV, SEGV), True),
    ],
)
def test_only_a_crash_that_happened_alike_twice_is_final(failures: tuple[ReplFailure, ...], final: bool) -> None:  # noqa: FBT001 - a table
    tries = Attempts(ProofRequest(custom_id="x", proof=""))
    verdicts = [tries.after(failure, importing=False) for failure in failures]
    assert verdicts[:-1] == [None] * (len(failures) - 1)
    assert verdicts[-1] is not None
    assert verdicts[-1].final == final


def test_a_crash_while_importing_is_never_the_bodys() -> None:
    tries = Attempts(ProofRequest(custom_id="x", proof=""))
    assert tries.after(SEGV, importing=True) is None
    verdict = tries.after(SEGV, importing=True)
    assert verdict is not None
    assert not verdict.final


def too_large(*severities: str) -> AnswerTooLarge:
    failure = AnswerTooLarge("too large")
    failure.messages = [{"severity": each, "pos": {"line": 2, "column": 3}, "data": "so"} for each in severities]
    return failure


def test_an_error_in_the_first_part_of_an_answer_counts_from_a_fresh_process_only() -> None:
    tries = Attempts(ProofRequest(custom_id="x", proof=""))
    assert tries.after(too_large("warning", "error"), importing=False) is None
    verdict = tries.after(too_large("warning", "error"), importing=False)
    assert verdict is not None
    assert (verdict.reason, verdict.summary) == (Reason.LEAN_ERROR, "line 2, column 3: so")
    assert verdict.truncated == ("messages",)


@pytest.mark.parametrize("severities", [(), ("warning",), ("info", "trace")])
def test_without_an_error_it_is_too_large(severities: tuple[str, ...]) -> None:
    assert outcome(too_large(*severities)) == (Reason.TOO_LARGE, 1)


def test_leaving_extras_out_does_not_use_up_the_second_try() -> None:
    assert outcome(AnswerTooLarge(), CRASH, all_tactics=True) == (None, 2)
    assert outcome(AnswerTooLarge(), CRASH, CRASH, all_tactics=True) == (Reason.REPL_CRASH, 3)
