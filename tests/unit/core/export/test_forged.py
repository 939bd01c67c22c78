"""Exports that no exporter writes: each is refused, and what is wrong with it is said."""

from __future__ import annotations

import pytest
from exports import kept
from forged_exports import DAMAGED, FORGED, forged_structure

from streamverify.core.export import Accepted, Unreadable, judge


@pytest.mark.parametrize("name", FORGED)
def test_what_does_not_follow_from_the_types_is_refused(name: str) -> None:
    make, what = FORGED[name]
    export = make()
    for theorem in ("boom", "target"):
        said = judge([export], (theorem,))
        assert isinstance(said, Unreadable)
        assert what in said.message
        assert said.which == "proof"
        assert not said.too_large


@pytest.mark.parametrize("name", DAMAGED)
def test_what_readers_may_take_differently_is_refused(name: str) -> None:
    make, what = DAMAGED[name]
    said = judge([make()], ("target",))
    assert isinstance(said, Unreadable)
    assert what in said.message
    assert not said.too_large


@pytest.mark.parametrize("name", [*FORGED, *DAMAGED])
def test_a_statement_is_read_as_narrowly(name: str) -> None:
    make, what = (FORGED | DAMAGED)[name]
    said = judge([kept("plain")], ("target",), trusted=[make()])
    assert isinstance(said, Unreadable)
    assert what in said.message
    assert said.which == "trusted"


def test_a_field_of_a_value_of_another_type_is_left_to_kernels() -> None:
    """What a value is of, only who infers types can say: this is false, and no export is refused for it here."""
    assert isinstance(judge([forged_structure()], ("boom",)), Accepted)
