"""The offset map: whatever is admitted fits into a commit, and comes back as it was written or not at all."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamverify.core.delivery.offset_map import (
    MAX_ATTEMPTS,
    MAX_CHARACTERS,
    MAX_INCOMPLETE,
    MAX_WINDOW,
    OffsetMap,
    decode_map,
    encode_map,
)
from streamverify.core.errors import UndecodableOffsetMap

PROMISED_CHARACTERS = 2_700
TOPICS = st.text(min_size=1, max_size=30)
PARTITIONS = st.integers(0, 2**31 - 1)


@st.composite
def admitted(draw: st.DrawFn) -> OffsetMap:
    """A map within the admission limits; the generator likes its corners."""
    base = draw(st.integers(0, 2**62))
    window = draw(st.one_of(st.just(MAX_WINDOW), st.integers(0, MAX_WINDOW)))
    count = min(window, draw(st.one_of(st.just(MAX_INCOMPLETE), st.integers(0, 50))))
    places = draw(st.randoms(use_true_random=False)).sample(range(window), count)
    attempts = draw(st.integers(0, MAX_ATTEMPTS))
    return OffsetMap(
        base, base + window, {base + place: attempts for place in sorted(places)}, open=draw(st.booleans())
    )


def spread(gap: int) -> OffsetMap:
    """As many incompletes as may be, `gap` apart, the rest of the window taken by gaps of three bytes."""
    offsets, at = {}, 0
    for left in range(MAX_INCOMPLETE, 0, -1):
        offsets[at] = MAX_ATTEMPTS
        wide = 2_048 + 1 + left * (gap + 1) < MAX_WINDOW - at
        at += 1 + (2_048 if wide else gap)
    return OffsetMap(0, MAX_WINDOW, {offset: n for offset, n in offsets.items() if offset < MAX_WINDOW}, open=True)


@given(offsets=admitted(), topic=TOPICS, partition=PARTITIONS)
@example(offsets=spread(16), topic="lean.proofs", partition=0)
@example(offsets=spread(0), topic="lean.proofs", partition=0)
@settings(deadline=None, max_examples=150)
def test_what_is_admitted_fits_and_comes_back(offsets: OffsetMap, topic: str, partition: int) -> None:
    metadata = encode_map(offsets, topic, partition)
    assert metadata.isascii()
    assert len(metadata) <= PROMISED_CHARACTERS <= MAX_CHARACTERS
    assert decode_map(metadata, topic, partition, offsets.base) == offsets


@given(offsets=admitted(), partition=PARTITIONS, data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_damaged_map_is_never_believed(offsets: OffsetMap, partition: int, data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(encode_map(offsets, "t", partition)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(UndecodableOffsetMap):
        decode_map(base64.b64encode(raw).decode(), "t", partition, offsets.base)


@given(offsets=admitted(), shift=st.integers(1, 10_000))
@settings(deadline=None, max_examples=60)
def test_a_map_at_another_offset_is_never_believed(offsets: OffsetMap, shift: int) -> None:
    with pytest.raises(UndecodableOffsetMap):
        decode_map(encode_map(offsets, "t", 0), "t", 0, offsets.base + shift)


@given(text=st.one_of(st.text(), st.binary().map(lambda raw: base64.b64encode(raw).decode())))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    with pytest.raises(UndecodableOffsetMap):
        decode_map(text, "t", 0, 0)
