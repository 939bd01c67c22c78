"""The order of the tiers of assurance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.messages.assurance import Assurance, is_enough

ORDER = ("none", "checked", "audited", "replayed", "cross_checked")
tiers = st.sampled_from(list(Assurance))


def test_they_are_ordered_by_what_they_are_worth_and_not_by_their_letters() -> None:
    by_letters = sorted(map(str, Assurance))
    assert tuple(sorted(map(Assurance, by_letters))) == ORDER
    assert max(Assurance.AUDITED, Assurance.CHECKED) is Assurance.AUDITED


@given(tiers, tiers)
def test_every_comparison_is_that_of_the_places_in_the_order(a: Assurance, b: Assurance) -> None:
    i, j = ORDER.index(a), ORDER.index(b)
    assert (a < b, a <= b, a > b, a >= b, a == b) == (i < j, i <= j, i > j, i >= j, i == j)


@pytest.mark.parametrize("other", ["checked", "zzz", 1, None])
def test_there_is_no_order_with_anything_else(other: object) -> None:
    with pytest.raises(TypeError):
        _ = other > Assurance.CHECKED  # type: ignore[operator]
    with pytest.raises(TypeError):
        _ = other <= Assurance.CHECKED  # type: ignore[operator]


@given(st.sampled_from(ORDER) | st.text(), tiers)
def test_enough_is_what_is_not_below_and_a_word_that_nobody_knows_is_never_enough(word: str, asked: Assurance) -> None:
    assert is_enough(word, asked) == (word in ORDER and ORDER.index(word) >= ORDER.index(asked))
