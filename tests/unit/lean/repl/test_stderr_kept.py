"""Of stderr the beginning and the end are kept, in whole lines, however it came in chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.lean.repl.stderr_kept import STDERR_KEPT, StderrKept

LINES = st.lists(st.text("ab", max_size=3000).map(lambda line: line.encode() + b"\n"), max_size=20)


@given(LINES, st.integers(1, 4000))
def test_all_of_it_is_kept_or_its_first_and_its_last_lines_are(lines: list[bytes], size: int) -> None:
    written, kept = b"".join(lines), StderrKept()
    for start in range(0, len(written), size):
        kept.add(written[start : start + size])
    if len(written) <= STDERR_KEPT:
        assert kept.read() == written
    else:
        read = kept.read()
        assert STDERR_KEPT // 2 < len(read) <= STDERR_KEPT + 1
        assert set(read.splitlines()) <= set(written.splitlines()), "no line has lost a part"
        assert read.splitlines()[0] == written.splitlines()[0]
        assert read.splitlines()[-1] == written.splitlines()[-1]
    kept.forget()
    assert kept.read() == b""


def test_a_line_without_an_end_is_kept_in_part() -> None:
    kept = StderrKept()
    kept.add(b"x" * STDERR_KEPT + b"y" * STDERR_KEPT)
    assert kept.read() == b"x" * (STDERR_KEPT // 2) + b"\n" + b"y" * (STDERR_KEPT // 2)
