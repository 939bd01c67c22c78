"""However a REPL's output is chunked, it is the same answers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamverify.lean.repl.protocol import AnswerSplitter

LINES = st.binary(min_size=1, max_size=30).map(lambda raw: raw.replace(b"\n", b"?").replace(b"\r", b"?"))
ANSWERS = st.lists(LINES.filter(lambda line: line.strip() == line), min_size=1, max_size=5).map(b"\n".join)


@st.composite
def chunked(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    answers = draw(st.lists(ANSWERS, max_size=6))
    spaces = draw(
        st.lists(st.sampled_from([b"", b"\n", b"\n\n\n", b" "]), min_size=len(answers), max_size=len(answers))
    )
    stream = b"".join(space + answer + b"\n\n" for space, answer in zip(spaces, answers, strict=True))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    return answers, [stream[start:end] for start, end in pairwise(edges)]


@given(chunked())
def test_any_chunking_gives_the_same_answers(case: tuple[list[bytes], list[bytes]]) -> None:
    answers, chunks = case
    splitter = AnswerSplitter()
    assert [answer for chunk in chunks for answer in splitter.feed(chunk)] == answers
    assert splitter.clean


@given(st.lists(st.binary(max_size=20)))
def test_any_bytes_are_the_same_answers_at_once_and_one_by_one(chunks: list[bytes]) -> None:
    stream = b"".join(chunks)
    at_once, chunk_wise, byte_wise = AnswerSplitter(), AnswerSplitter(), AnswerSplitter()
    expected = at_once.feed(stream)
    assert [answer for chunk in chunks for answer in chunk_wise.feed(chunk)] == expected
    assert [answer for byte in stream for answer in byte_wise.feed(bytes([byte]))] == expected
    assert at_once.clean == chunk_wise.clean == byte_wise.clean


@given(st.binary(max_size=40))
def test_what_waits_for_its_blank_line_is_not_lost(tail: bytes) -> None:
    splitter = AnswerSplitter()
    found = splitter.feed(b'{"env": 0}\n\n' + tail)
    found += splitter.feed(b"\n\n")
    assert b"".join(b"".join(found).split()) == b"".join((b'{"env": 0}' + tail).split())
