"""Whatever was observed: the expected rest lies between nothing and the time-out, and what is long obeys the limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.scheduling.durations import ProofDurations
from streamverify.core.scheduling.work import Work, id_prefix

SECONDS = st.floats(0, 10_000)


@given(seen=st.lists(SECONDS, max_size=30), elapsed=SECONDS, timeout=SECONDS)
def test_the_expected_rest_ends_at_the_timeout(seen: list[float], elapsed: float, timeout: float) -> None:
    durations = ProofDurations()
    for seconds in seen:
        durations.ran(Work(), "header", seconds)
    assert 0.0 <= durations.rest("header", elapsed, timeout) <= max(0.0, timeout - elapsed)


@given(seen=st.lists(SECONDS, min_size=1, max_size=30), limit=st.floats(1, 1000))
def test_what_is_observed_is_long_if_it_just_was_and_short_if_it_never_was(seen: list[float], limit: float) -> None:
    durations = ProofDurations(limit)
    kind = Work(limit + 1, ("prefix:p",))
    for seconds in seen:
        durations.ran(kind, "header", seconds)
    if seen[-1] > limit:
        assert durations.is_long(kind, "header")
    if max(seen) <= limit:
        assert not durations.is_long(kind, "header")


@given(stem=st.text(max_size=10), number=st.integers(0, 999))
def test_ids_that_differ_in_their_last_number_have_the_same_prefix(stem: str, number: int) -> None:
    if not stem or not stem[-1].isdigit():
        assert id_prefix(f"{stem}{number}") == id_prefix(f"{stem}{number + 1}")
