"""Rows of any data set: each becomes attempts, none is lost, and no two have one id."""

from __future__ import annotations

import io
import json
from typing import Any

import ijson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamverify.core.datasets.attempts import AttemptMaker
from streamverify.core.datasets.columns import Columns, choose
from streamverify.core.datasets.ids import SeenIds
from streamverify.core.datasets.pieces import continued
from streamverify.core.datasets.row import Row
from streamverify.core.datasets.where import Condition
from streamverify.core.errors import SourceError
from streamverify.core.messages.codec import encode_request
from streamverify.datasets.text import HalvesRefused

TEXTS = st.text(st.characters(codec=None), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXTS,
    st.binary(max_size=5),
    st.sampled_from(["a", "a#0", "1"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
NAMES = ["id", "proof", "statement", "header", "theorem", "group"]
ROWS = st.lists(
    st.one_of(st.text(min_size=1, max_size=5), st.dictionaries(st.sampled_from(NAMES), VALUES)), max_size=12
)
COLUMNS = st.builds(
    Columns,
    id=st.sampled_from([None, "id"]),
    proof=st.sampled_from([None, "proof"]),
    statement=st.just("statement"),
    header=st.sampled_from([None, "header"]),
    theorem=st.sampled_from([None, "theorem"]),
    group=st.sampled_from([None, "group"]),
    completion=st.booleans(),
    continues=st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(ROWS, COLUMNS, st.sampled_from(["", "import A"]), st.sampled_from(["", "@1"]))
def test_every_row_becomes_attempts_that_can_be_sent_or_say_why_not(
    rows: list[str | dict[str, Any]], columns: Columns, header: str, suffix: str
) -> None:
    make = AttemptMaker("set", columns, header)
    made = []
    for index, row in enumerate(rows):
        read = Row(index, f"set:{index}", error=row) if isinstance(row, str) else Row(index, f"set:{index}", row)
        attempts = make.of(read, suffix)
        proofs = read.values.get("proof") if columns.proof else None
        assert len(attempts) in {1, len(proofs) if isinstance(proofs, list) else 1}
        made += attempts
    assert [attempt.number for attempt in made] == list(range(len(made)))
    assert len({attempt.custom_id for attempt in made}) == len(made)
    for attempt in made:
        assert (attempt.request is None) == (attempt.error is not None)
        assert 0 < len(attempt.custom_id) <= 512
        assert attempt.error is None or attempt.error
        if attempt.request is not None:
            assert attempt.request.custom_id == attempt.custom_id
            assert attempt.request.group == attempt.group
            assert attempt.request.proof.strip()
            assert not attempt.request.first_success
            encode_request(attempt.request)


@given(st.lists(st.text(max_size=3), max_size=60))
def test_an_id_that_was_added_is_always_known(names: list[str]) -> None:
    seen, added = SeenIds(), set()
    for name in names:
        # With so few in so many bits, one that was not added is never known.
        assert seen.add(name) is (name in added)
        added.add(name)


@given(st.lists(st.text(max_size=8), unique=True, max_size=20), st.booleans())
def test_columns_are_chosen_among_those_that_there_are(names: list[str], guess: bool) -> None:  # noqa: FBT001
    try:
        chosen, _ = choose(names, Columns(), guess=guess)
    except SourceError:
        return
    used = list(chosen.used.values())
    assert set(used) <= set(names)


@given(st.text(max_size=20))
def test_any_text_is_a_condition_or_an_error(text: str) -> None:
    try:
        condition = Condition.parse(text)
    except SourceError:
        return
    assert condition.holds({condition.column: condition.value}) in {True, False}
    for value in (None, True, 1, 0.5, "x", [1], {"a": 1}):
        assert condition.holds({condition.column: value}) in {True, False}


@given(st.text("ab \n", max_size=10), st.text("xy \n", min_size=1, max_size=20).filter(str.strip))
def test_a_continued_proof_keeps_its_lines(statement: str, proof: str) -> None:
    file = continued(f"theorem t {statement}: p := by sorry", proof)
    assert "sorry" not in file
    assert file.split(":= by", 1)[1].split() == proof.split()
    indents = [len(line) - len(line.lstrip(" ")) for line in proof.strip("\n").split("\n") if line.strip()]
    moved = [
        len(line) - len(line.lstrip(" "))
        for line in file.split(":= by\n", 1)[1].strip("\n").split("\n")
        if line.strip()
    ]
    assert len({new - old for old, new in zip(indents, moved, strict=True)}) == 1


PIECES = st.lists(st.sampled_from(["a", "\\", "ud800", "\ud800", "\udc00", "\U0001f600", '"']), max_size=20)


@settings(max_examples=300, deadline=None)
@given(PIECES.map("".join), st.integers(1, 20))
def test_a_text_of_an_array_is_read_as_it_is_or_refused(text: str, size: int) -> None:
    """Wherever the pieces end in which the parser reads."""
    written = json.dumps(["b" * size, text, "c"])
    # Two halves that stand beside each other are one character.
    text = json.loads(written)[1]
    read = ijson.items(HalvesRefused(io.BytesIO(written.encode())), "item", buf_size=size)
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        with pytest.raises(UnicodeDecodeError):
            list(read)
    else:
        assert list(read) == ["b" * size, text, "c"]
