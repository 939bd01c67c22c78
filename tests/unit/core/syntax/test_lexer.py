"""Blanks are skipped as Lean skips them."""

from __future__ import annotations

import pytest

from streamverify.core.syntax.lexer import LexError, skip_blank


def test_blanks_are_those_of_lean() -> None:
    assert skip_blank(" \n\r\n -- a\n/- b -/ c", 0) == 18
    assert skip_blank("  /-- a -/", 0) == 2
    assert skip_blank("\x0b", 0) == 0
    assert skip_blank("-- a", 0) == 4
    assert skip_blank("- a", 0) == 0
    assert skip_blank("", 0) == 0


@pytest.mark.parametrize(("text", "offset"), [("  \ta", 2), (" \ra", 1), ("\r\r\n", 0), (" /- /- -/", 1), ("/-", 0)])
def test_what_blanks_may_not_hold(text: str, offset: int) -> None:
    with pytest.raises(LexError) as caught:
        skip_blank(text, 0)
    assert caught.value.offset == offset
