"""What a gateway holds at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.gateway.admission import Admission


@given(sizes=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))))
def test_admission_holds_no_more_than_it_may(sizes: list[tuple[int, int]]) -> None:
    admission = Admission(requests=3, total_bytes=100)
    held: list[int] = []
    for first, more in sizes:
        full = len(held) >= 3 or (held != [] and sum(held) + first > 100)
        assert admission.enter(first) is not full
        if full:
            assert held
            admission.leave(held.pop(0))
        else:
            held.append(first)
            if admission.grow(more):
                held[-1] += more
        assert (admission.requests, admission.bytes) == (len(held), sum(held))
        assert sum(held) <= 100 or len(held) == 1
