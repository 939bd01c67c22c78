"""Which results are selected: the key alone never leaves out what the value would take."""

from __future__ import annotations

from cli_fakes import make_result
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.messages.models import Reason
from streamverify.core.messages.selection import ResultSelection

IDS = st.text(alphabet="ab/é", min_size=1, max_size=4)
RUNS = st.sampled_from([None, "r", "s"])
TIMES = st.integers(min_value=0, max_value=20)


@st.composite
def selections(draw: st.DrawFn) -> ResultSelection:
    return ResultSelection(
        ids=draw(st.frozensets(IDS, max_size=3)),
        prefix=draw(st.sampled_from(["", "a", "ab", "é"])),
        statuses=draw(st.frozensets(st.sampled_from(["verified", "rejected", "inconclusive"]))),
        reasons=draw(st.frozensets(st.sampled_from(["ok", "sorry", "timeout"]))),
        run=draw(RUNS),
        since=draw(TIMES),
        until=draw(st.none() | TIMES),
    )


@given(selections(), IDS, st.sampled_from(Reason), RUNS, TIMES)
def test_a_result_is_selected_if_it_meets_every_condition(
    wanted: ResultSelection, custom_id: str, reason: Reason, run: str | None, timestamp: int
) -> None:
    result = make_result(custom_id, reason, run=run)
    by_record, by_value = wanted.takes_record(custom_id.encode(), timestamp), wanted.takes(result)
    in_time = timestamp >= wanted.since and (wanted.until is None or timestamp < wanted.until)
    named = (not wanted.ids or custom_id in wanted.ids) and custom_id.startswith(wanted.prefix)
    told = (
        (not wanted.statuses or result.status in wanted.statuses)
        and (not wanted.reasons or reason in wanted.reasons)
        and (wanted.run is None or run == wanted.run)
    )
    assert by_record == (in_time and named)
    assert by_value == (named and told)


@given(IDS, st.sampled_from(Reason), RUNS)
def test_without_conditions_everything_is_selected(custom_id: str, reason: Reason, run: str | None) -> None:
    everything = ResultSelection()
    assert everything.takes_record(custom_id.encode(), 0)
    assert everything.takes_record(None, 0)
    assert everything.takes(make_result(custom_id, reason, run=run))
