"""Dotted names of Lean: their parts, with quotes where Lean needs or prints them."""

from __future__ import annotations

import pytest

from streamverify.core.syntax.names import first_part, parts, printed, spelled


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A.b", ("A", "b")),
        ("A.«b c»", ("A", "b c")),
        ("«a.b».c", ("a.b", "c")),
        ("«»", ("",)),
        ("_private.Main.0.f", ("_private", "Main", "0", "f")),
        ("", ()),
        ("A..b.", ("A", "b")),
    ],
)
def test_a_name_is_taken_apart_at_the_dots_outside_of_its_quotes(name: str, expected: tuple[str, ...]) -> None:
    assert parts(name) == expected


@pytest.mark.parametrize(("name", "first"), [("A.b", "A"), ("«a.b».c", "«a.b»"), ("A", "A"), ("", ""), (".a", ".a")])
def test_the_first_part_keeps_its_quotes(name: str, first: str) -> None:
    assert first_part(name) == first


@pytest.mark.parametrize(
    ("name", "shown"),
    [("«A».«b»", "A.b"), ("A.«b c»", "A.«b c»"), ("A.«end»", "A.end"), ("«»", "«»"), ("A.b", "A.b")],
)
def test_lean_prints_quotes_only_around_what_is_no_identifier(name: str, shown: str) -> None:
    assert printed(name) == shown


@pytest.mark.parametrize(
    ("name_parts", "text"), [(("A", "b"), "A.b"), (("A", "end"), "A.«end»"), (("a b", "1"), "«a b».«1»"), ((), "")]
)
def test_a_spelled_name_is_read_back_as_its_parts(name_parts: tuple[str, ...], text: str) -> None:
    assert spelled(name_parts) == text
    assert parts(text) == name_parts
