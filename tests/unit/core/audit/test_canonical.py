"""The text that is the same for equal terms: scopes, arrows, and binders of several names."""

from __future__ import annotations

import pytest

from streamverify.core.audit.canonical import CanonicalText, Scope
from streamverify.core.audit.printed_tokens import UnreadableError


def written(text: CanonicalText) -> CanonicalText:
    text.open("text")
    text.begin_operand()
    return text


def test_the_innermost_variable_of_a_name_hides_the_others() -> None:
    scope = Scope()
    for name in ("x", "", "x"):
        scope.bind(name)
    assert (len(scope), scope.level("x"), scope.level("y"), scope.level("")) == (3, 2, None, None)
    scope.leave(2)
    assert scope.level("x") == 0
    scope.leave(0)
    assert (len(scope), scope.level("x")) == (0, None)


def test_the_left_side_of_an_arrow_becomes_a_binder_of_a_variable_without_a_name() -> None:
    text = written(CanonicalText(10))
    text.atom("A")
    text.arrow()
    text.atom("B")
    assert str(text) == "(#: A ) → B"
    assert (text.is_whole, len(text.scope)) == (True, 1)


def test_parentheses_around_the_only_atom_give_way_to_the_binders() -> None:
    text = written(CanonicalText(10))
    text.atom("(")
    begins = text.open("(").begins
    text.begin_operand()
    text.atom("A")
    text.close()
    text.tokens.append(")")
    text.inner.brackets = (begins, len(text.tokens) - 1)
    text.arrow()
    assert str(text) == "(#: A ) →"
    assert not text.is_whole


def test_a_binder_is_written_once_for_each_name_with_the_levels_that_hold_there() -> None:
    text = written(CanonicalText(10))
    text.scope.bind("n")
    text.atom("(#:")
    binder = text.open("binder")
    binder.names = ("x", "y")
    text.begin_operand()
    text.atom(0)
    text.close()
    text.tokens += [")", "→"]
    text.bind(binder)
    assert str(text) == "(#: #0 ) → (#: #0 ) →"
    assert [text.scope.level(name) for name in ("n", "x", "y")] == [0, 1, 2]


def test_a_level_within_a_binder_moves_with_it() -> None:
    text = written(CanonicalText(10))
    text.atom("(#:")
    binder = text.open("binder")
    binder.names = ("x", "y")
    text.begin_operand()
    text.atom(0)  # of an inner binder that is not shown
    text.close()
    text.tokens.append(")")
    text.bind(binder)
    assert str(text) == "(#: #0 ) (#: #1 )"


def test_too_many_binders_of_one_type_are_refused() -> None:
    text = written(CanonicalText(1))
    text.atom("(#:")
    binder = text.open("binder")
    binder.names = tuple(f"x{number}" for number in range(100))
    text.close()
    with pytest.raises(UnreadableError, match="too many binders"):
        text.bind(binder)
