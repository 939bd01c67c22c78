"""The offset map against its test vectors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import ROOT

from streamverify.core.delivery.offset_map import OffsetMap, decode_map, encode_map
from streamverify.core.errors import UndecodableOffsetMap

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((ROOT / "schemas" / "offset-map.vectors.json").read_text("utf-8"))


def place(vector: dict[str, Any]) -> tuple[str, int, int]:
    return vector["topic"], vector["partition"], vector["offset"]


def meaning(vector: dict[str, Any]) -> OffsetMap:
    base = vector["offset"]
    incomplete = {each["offset"]: each["attempts"] for each in vector["incomplete"]}
    return OffsetMap(base, base + vector["window"], incomplete, open=vector["open"])


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["name"])
def test_a_vector_is_read_and_written(vector: dict[str, Any]) -> None:
    assert decode_map(vector["metadata"], *place(vector)) == meaning(vector)
    assert encode_map(meaning(vector), vector["topic"], vector["partition"]) == vector["metadata"]


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: vector["name"])
def test_what_cannot_be_relied_on_is_not_read(vector: dict[str, Any]) -> None:
    with pytest.raises(UndecodableOffsetMap):
        decode_map(vector["metadata"], *place(vector))


def test_a_newer_version_is_named() -> None:
    newer = next(vector for vector in VECTORS["invalid"] if vector["name"] == "a newer version")
    with pytest.raises(UndecodableOffsetMap, match="version 2; this worker reads 1"):
        decode_map(newer["metadata"], *place(newer))


def test_the_metadata_of_other_programs_is_not_read() -> None:
    for text in ("", " ", "é", "0" * 4096, "NO_METADATA", "null"):
        with pytest.raises(UndecodableOffsetMap):
            decode_map(text, "t", 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        OffsetMap(5, 8, {4: 0}),
        OffsetMap(5, 8, {8: 0}),
        OffsetMap(5, 8, {6: 0, 5: 0}),
        OffsetMap(5, 8, {5: 8}),
        OffsetMap(5, 4),
    ],
    ids=["below the base", "beyond the window", "not ascending", "too many attempts", "a negative window"],
)
def test_a_map_that_cannot_be_written_raises(wrong: OffsetMap) -> None:
    with pytest.raises(ValueError, match=r"fit|negative"):
        encode_map(wrong, "t", 0)
