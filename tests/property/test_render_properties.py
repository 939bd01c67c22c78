"""What holds of every source line and text."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from streamverify.cli.output import printable
from streamverify.cli.render import excerpt

LINES = st.text(st.characters(exclude_characters="\n"), max_size=300)


@given(LINES, st.integers(0, 400), st.integers(0, 400))
def test_the_carets_lie_under_the_line(line: str, start: int, end: int) -> None:
    source, marks = excerpt(line, start, end)
    assert set(marks) <= {" ", "^"}
    assert marks.endswith("^")
    # One caret may stand behind the line's end, where Lean means the end.
    assert len(marks) <= cell_len(source) + 1


@given(LINES)
def test_a_line_is_shown_without_what_steers_a_terminal(line: str) -> None:
    source, _ = excerpt(line, 0, 0)
    assert not any(unicodedata.category(char) == "Cc" for char in source)


@given(st.text())
def test_printable_changes_no_letter_and_no_length(text: str) -> None:
    safe = printable(text)
    assert len(safe) == len(text)
    assert all(new == old for new, old in zip(safe, text, strict=True) if old.isalnum() or old in "\n\t ")
    safe.encode("utf-8")
