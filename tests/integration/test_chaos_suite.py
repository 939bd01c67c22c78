"""The chaos suite's own judgement: that it would see a loss, a wrong verdict, a repeat and a stall. Starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaos import __main__ as command
from chaos import network
from chaos.faults import NETWORK_FAULTS
from chaos.load import MAX_SECONDS, TIMEOUT, make_cases
from chaos.outcome import Outcome, Seen, Sent, Strike, judge
from chaos.run import Plan, Report, choose

from streamverify.core.messages.models import Reason
from streamverify.standins.directives import parse_directives

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


def sent(*ids: str, partition: int = 0, step: int = 10) -> list[Sent]:
    return [Sent(name, (partition, offset), offset * step) for offset, name in enumerate(ids)]


def seen(sent_record: Sent, at: int, verdict: str = "ok") -> Seen:
    return Seen(sent_record.custom_id, sent_record.place, verdict, at)


def judged(requests: Iterable[Sent], results: Iterable[Seen], strikes: Iterable[Strike] = ()) -> Outcome:
    requests = list(requests)
    return judge(requests, results, {record.custom_id: "ok" for record in requests}, strikes)


# --- the load -------------------------------------------------------------------------------------------------------


def test_every_directive_is_understood_and_no_proof_comes_near_its_time_out() -> None:
    cases = make_cases(2000, 3, poison=4)
    for case in cases:
        for directive in parse_directives(case.request.proof):
            assert directive.problems == ()
            assert sum(step.value for step in directive.steps if step.word == "service") <= MAX_SECONDS < TIMEOUT / 3
    assert {case.expected for case in cases} == {
        Reason.OK,
        Reason.LEAN_ERROR,
        Reason.SORRY,
        Reason.PROTOCOL_VIOLATION,
        Reason.REPL_CRASH,
    }


# --- the judgement --------------------------------------------------------------------------------------------------


def test_a_request_without_a_result_is_lost() -> None:
    records = sent("a", "b")
    assert judged(records, [seen(records[0], 5)]).lost == ["b"]


def test_the_answer_to_another_record_of_the_same_id_is_no_answer() -> None:
    records = sent("a", "a")
    assert judged(records, [seen(records[0], 5)]).lost == ["a"]


def test_one_wrong_verdict_among_right_ones_is_seen_whichever_is_last() -> None:
    [record] = sent("a")
    for verdicts in (("ok", "timeout"), ("timeout", "ok")):
        outcome = judged([record], [seen(record, at, verdict) for at, verdict in enumerate(verdicts)])
        assert outcome.wrong == ["a: timeout, not ok"]
        assert not outcome.ok


def test_a_result_that_nobody_asked_for_is_wrong() -> None:
    [record] = sent("a")
    stray = Seen("b", (0, 7), "ok", 9)
    assert judged([record], [seen(record, 5), stray]).wrong == ["b: ok, not sent at all"]


def test_repeats_are_laid_to_the_last_strike_before_them() -> None:
    records = sent("a", "b")
    strikes = [Strike("killed", "w", 100, in_flight=5, at_risk=2), Strike("paused", "w", 200, in_flight=1, at_risk=1)]
    results = [seen(records[0], 50), seen(records[1], 90), seen(records[0], 150), seen(records[1], 250)]
    outcome = judged(records, [*results, seen(records[1], 260)], strikes)
    assert outcome.ok
    assert outcome.repeats == 3
    rows = {row.kind: (row.strikes, row.in_flight, row.at_risk, row.repeats) for row in outcome.rows}
    assert rows["killed"] == (1, 5, 2, 1)
    assert rows["paused"] == (1, 1, 1, 2)


def test_a_stall_is_counted_while_something_waits_and_not_while_nothing_does() -> None:
    records = [Sent("a", (0, 0), 0), Sent("b", (0, 1), 5_000), Sent("c", (1, 0), 0)]
    results = [seen(records[0], 10), seen(records[1], 5_900), seen(records[2], 2_000)]
    outcome = judged(records, results, [Strike("killed", "w", 100)])
    assert outcome.stall_ms == 2_000  # of partition 1; partition 0 was idle from 10 to 5,000, and then took 900
    assert {row.kind: row.stall_ms for row in outcome.rows} == {"killed": 2_000, "(before any)": 10}


# --- the plans ------------------------------------------------------------------------------------------------------


def test_faults_that_this_machine_cannot_make_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "inside", lambda: False)
    plan = Plan("p", nodes=1, static=True, seconds=1, records=1)
    chosen, skipped = choose(plan)
    assert not set(chosen) & set(NETWORK_FAULTS)
    assert len(skipped) == len(NETWORK_FAULTS)
    monkeypatch.setattr(network, "inside", lambda: True)
    chosen, skipped = choose(plan)
    assert set(NETWORK_FAULTS) <= set(chosen)
    assert skipped == []


def report(**over: Any) -> Report:
    plan = Plan("p", nodes=1, static=True, seconds=1, records=1, poison=1)
    outcome = judged([], [])
    given: dict[str, Any] = {"dead_letters": 1} | over
    return Report(plan, outcome, [], 1.0, {-9: 1}, **given)


def test_a_report_is_well_only_without_defects_and_with_every_dead_letter() -> None:
    assert report().ok
    assert not report(dead_letters=0).ok
    assert not report(defects=["worker-1 ended with 70"]).ok
    shown = command.table([report(dead_letters=0, defects=["worker-1 ended with 70"], skipped=["cut: none"])])
    for word in ("DEAD LETTERS: 0, not 1", "ended with 70", "not run: cut"):
        assert word in shown
    assert '"ok": false' in command.as_json([report(dead_letters=0)])
