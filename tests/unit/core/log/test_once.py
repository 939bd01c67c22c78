"""What is said once: a kind of complaint is new when it has been quiet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.log.once import MAX_KINDS, Once

QUIET = 10.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30))))
def test_a_kind_is_new_exactly_when_it_was_not_heard_for_the_quiet_time(heard: list[tuple[str, float]]) -> None:
    once, last, now = Once(QUIET), dict[str, float](), 0.0
    for kind, pause in heard:
        now += pause
        assert once.is_new(kind, now) is (kind not in last or now - last[kind] >= QUIET)
        last[kind] = now


def test_what_goes_on_for_hours_is_said_once_and_ever_new_kinds_take_no_memory() -> None:
    once = Once(QUIET)
    assert sum(once.is_new("outage", second / 2) for second in range(10_000)) == 1
    for number in range(3 * MAX_KINDS):
        assert once.is_new(str(number), 5_000.0)
    assert len(once._heard) == MAX_KINDS
