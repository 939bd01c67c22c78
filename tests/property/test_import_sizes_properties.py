"""Whatever imports add, a process takes no header that could leave proofs less than their half of the memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.scheduling.import_sizes import HEADERS_PART, REMEMBERED, ImportSizes

sizes = st.integers(0, 10**6)


@given(st.lists(st.tuples(sizes, sizes)), sizes, sizes, st.integers(0, 70), st.integers(1, 64))
def test_there_is_room_only_for_the_most_that_one_of_the_last_imports_added(
    imports: list[tuple[int, int]], memory: int, limit: int, held: int, most: int
) -> None:
    known = ImportSizes()
    for before, after in imports:
        known.note(before, after)
    added = [max(0, after - before) for before, after in imports if before][-REMEMBERED:]
    fresh = [after for before, after in imports if not before]
    assert known.expected == (max(added) if added else max(fresh, default=0))
    room = known.has_room(memory, limit, held, most)
    assert room == (held < most and HEADERS_PART * (memory + known.expected) <= limit // 2 * 2)
    assert known.has_room(memory, None, held, most) == (held < most)


def test_before_a_second_import_the_next_is_taken_for_as_large_as_all_of_the_first() -> None:
    known = ImportSizes()
    known.note(0, 300)
    assert known.expected == 300
    assert known.has_room(300, 1200, held=1, most=64)
    assert not known.has_room(300, 1199, held=1, most=64)
    known.note(300, 320)
    assert known.expected == 20
    assert known.has_room(320, 680, held=2, most=64)
