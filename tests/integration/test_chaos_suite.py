"""The chaos suite's own judgement: that it would see a loss, a wrong verdict, a repeat and a stall. Starts nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from chaos import __main__ as command
from chaos import network
from chaos.faults import NETWORK_FAULTS
from chaos.load import make_cases
from chaos.outcome import Outcome, Seen, Sent, Strike, judge
from chaos.run import Plan, Report, choose

from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable


def sent(*ids: str) -> list[Sent]:
    return [Sent(name, (0, offset), 10 * offset) for offset, name in enumerate(ids)]


def seen(offset: int, at: int, verdict: str = "ok") -> Seen:
    """A result for `a`, the request at offset 0, or `b`, the one after it."""
    return Seen("ab"[offset], (0, offset), verdict, at)


def judged(requests: list[Sent], results: list[Seen], strikes: Iterable[Strike] = ()) -> Outcome:
    return judge(requests, results, {record.custom_id: "ok" for record in requests}, strikes)


def test_the_load_has_proofs_of_every_fate() -> None:
    expected = {Reason.OK, Reason.LEAN_ERROR, Reason.SORRY, Reason.PROTOCOL_VIOLATION, Reason.REPL_CRASH}
    assert {case.expected for case in make_cases(2000, 3, poison=4)} == expected


@pytest.mark.parametrize(
    ("requests", "results", "lost", "wrong"),
    [
        pytest.param(sent("a", "b"), [seen(0, 5)], ["b"], [], id="no result"),
        pytest.param(sent("a", "a"), [seen(0, 5)], ["a"], [], id="the result of another record of the same id"),
        pytest.param(sent("a"), [seen(0, 1), seen(0, 2, "timeout")], [], ["a: timeout, not ok"], id="then a wrong one"),
        pytest.param(
            sent("a"), [seen(0, 1, "timeout"), seen(0, 2)], [], ["a: timeout, not ok"], id="first a wrong one"
        ),
        pytest.param(sent("a"), [seen(0, 5), seen(1, 9)], [], ["b: ok, not sent at all"], id="nobody asked for it"),
    ],
)
def test_what_is_lost_or_wrong_is_seen(
    requests: list[Sent], results: list[Seen], lost: list[str], wrong: list[str]
) -> None:
    outcome = judged(requests, results)
    assert (outcome.lost, outcome.wrong, outcome.ok) == (lost, wrong, False)


def test_repeats_are_laid_to_the_last_strike_before_them() -> None:
    strikes = [Strike("killed", "w", 100, in_flight=5, at_risk=2), Strike("paused", "w", 200, in_flight=1, at_risk=1)]
    outcome = judged(sent("a", "b"), [seen(0, 50), seen(1, 90), seen(0, 150), seen(1, 250), seen(1, 260)], strikes)
    assert (outcome.ok, outcome.repeats) == (True, 3)
    rows = {row.kind: (row.strikes, row.in_flight, row.at_risk, row.repeats) for row in outcome.rows}
    assert (rows["killed"], rows["paused"]) == ((1, 5, 2, 1), (1, 1, 1, 2))


def test_a_stall_is_counted_while_something_waits_and_not_while_nothing_does() -> None:
    records = [Sent("a", (0, 0), 0), Sent("b", (0, 1), 5_000), Sent("c", (1, 0), 0)]
    results = [
        Seen(record.custom_id, record.place, "ok", at) for record, at in zip(records, (10, 5_900, 2_000), strict=True)
    ]
    outcome = judged(records, results, [Strike("killed", "w", 100)])
    assert outcome.stall_ms == 2_000  # of partition 1; partition 0 was idle from 10 to 5,000, and then took 900
    assert {row.kind: row.stall_ms for row in outcome.rows} == {"killed": 2_000, "(before any)": 10}


@pytest.mark.parametrize("inside", [False, True])
def test_faults_that_this_machine_cannot_make_are_named(monkeypatch: pytest.MonkeyPatch, *, inside: bool) -> None:
    monkeypatch.setattr(network, "inside", lambda: inside)
    chosen, skipped = choose(Plan("p", nodes=1, static=True, seconds=1, records=1))
    assert set(chosen) & set(NETWORK_FAULTS) == (set(NETWORK_FAULTS) if inside else set())
    assert len(skipped) == (0 if inside else len(NETWORK_FAULTS))


def test_a_report_is_well_only_without_defects_and_with_every_dead_letter() -> None:
    plan = Plan("p", nodes=1, static=True, seconds=1, records=1, poison=1)
    well = Report(plan, judged([], []), [], 1.0, {-9: 1}, dead_letters=1)
    without_letter, with_defect = replace(well, dead_letters=0), replace(well, defects=["worker-1 ended with 70"])
    assert (well.ok, without_letter.ok, with_defect.ok) == (True, False, False)
    shown = command.table([without_letter, with_defect])
    assert "DEAD LETTERS: 0, not 1" in shown
    assert "ended with 70" in shown
    assert '"ok": false' in command.as_json([without_letter])
