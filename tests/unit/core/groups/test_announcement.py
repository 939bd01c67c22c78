"""Announcements as bytes and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.groups.announcement import decode_announcement, encode_announcement
from streamverify.core.groups.groups import Winner
from streamverify.core.messages.models import MAX_CUSTOM_ID, Assurance

SCOPE = "0123456789abcdef" * 2
GOOD = b'{"scope":"%s","custom_id":"a","partition":0,"offset":1,"assurance":"%s"}'


@given(
    custom_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_CUSTOM_ID),
    partition=st.integers(0, 9999),
    offset=st.integers(0, 2**63 - 1),
    assurance=st.sampled_from([each for each in Assurance if each is not Assurance.NONE]),
    seconds=st.integers(0, 2**32),
)
def test_what_is_announced_is_what_is_heard(
    custom_id: str, partition: int, offset: int, assurance: Assurance, seconds: int
) -> None:
    winner = Winner(SCOPE, custom_id, partition, offset, assurance, float(seconds))
    record = encode_announcement(winner)
    assert decode_announcement(record.value, record.timestamp_ms) == winner


def test_each_winner_of_a_scope_has_a_key_of_its_own() -> None:
    keys = {encode_announcement(Winner(SCOPE, name, 0, 1, Assurance.CHECKED, 1.0)).key for name in ("a", "b", "a:b")}
    assert len(keys) == 3
    assert all(key.startswith(SCOPE.encode()) for key in keys)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b"{}",
        GOOD % (b"short", b"checked"),
        GOOD % (SCOPE.encode(), b"none"),
        GOOD % (SCOPE.encode(), b"of_a_later_version"),
    ],
)
def test_anything_else_is_refused_with_a_reason(value: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode_announcement(value, 0)


def test_the_form_on_the_topic_stays_as_it_is() -> None:
    winner = decode_announcement(GOOD % (SCOPE.encode(), b"checked"), 1_500)
    assert winner == Winner(SCOPE, "a", 0, 1, Assurance.CHECKED, 1.5)
    assert encode_announcement(winner).value == GOOD % (SCOPE.encode(), b"checked")
