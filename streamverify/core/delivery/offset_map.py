"""The metadata of a commit: it says which offsets after the committed one are finished.

Pure. The byte format and its test vectors are in schemas/offset-map.md and schemas/offset-map.vectors.json. One
version so far; the place of the version and of the checksum is the same for every version to come.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamverify.core.errors import UndecodableOffsetMap

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
"""The version that is written: one that the release before can read, too (docs/upgrades.md)."""
MAX_CHARACTERS = 4_096
"""Bytes of metadata that a Kafka broker accepts by default (`offset.metadata.max.bytes`)."""
MAX_INCOMPLETE = 1_000
"""Incomplete offsets of one partition that are admitted at once."""
MAX_WINDOW = 50_000
"""Offsets from the commit point on that a worker admits: with both limits a map has at most 2,700 characters."""
MAX_ATTEMPTS = 7

_OPEN = 0x01
_CHECKSUM_BYTES = 4
_SHORTEST = 3 + _CHECKSUM_BYTES
_ATTEMPT_BITS = 3
_MAX_VARINT_BYTES = 9
"""Bytes: 63 bits, as many as an offset has."""


@dataclass(frozen=True, slots=True)
class OffsetMap:
    """The offsets from `base` to before `end`, those in `incomplete` excepted, are finished or do not exist.

    What lies at `end` and after it is new.
    """

    base: int
    """The committed offset."""
    end: int
    """The end of the window: one past the highest offset that is finished or has an attempt, at least `base`."""
    incomplete: Mapping[int, int] = field(default_factory=dict)
    """Offset to attempts (0..7) of each incomplete offset in the window, ascending."""
    open: bool = False
    """A worker was at it when this was written: had it died since, nobody would have written it down."""


def encode_map(offsets: OffsetMap, topic: str, partition: int) -> str:
    """The metadata for a commit of `offsets.base`; ASCII.

    Raises:
        ValueError: The incomplete offsets are not ascending in the window, or an attempt is out of range.
    """
    payload = bytearray((VERSION, _OPEN if offsets.open else 0))
    _put_varint(payload, offsets.end - offsets.base)
    expected = offsets.base
    for offset, attempts in offsets.incomplete.items():
        if not (expected <= offset < offsets.end and 0 <= attempts <= MAX_ATTEMPTS):
            raise ValueError(f"offset {offset} with {attempts} attempts does not fit into {offsets!r:.200}")
        _put_varint(payload, (offset - expected) << _ATTEMPT_BITS | attempts)
        expected = offset + 1
    payload += _checksum(bytes(payload), topic, partition, offsets.base)
    return base64.b64encode(payload).decode()


def decode_map(metadata: str, topic: str, partition: int, base: int) -> OffsetMap:
    """Read the metadata of a commit of `base` for `partition` of `topic`.

    Raises:
        UndecodableOffsetMap: It says nothing that can be relied on; the text says why.
    """
    payload = _verified(metadata, topic, partition, base)
    if payload[0] != VERSION:
        raise UndecodableOffsetMap(f"the offset map has version {payload[0]}; this worker reads {VERSION}")
    reader = _VarintReader(payload, 2)
    end = base + reader.varint()
    incomplete = {}
    expected = base
    while not reader.at_end:
        value = reader.varint()
        expected += value >> _ATTEMPT_BITS
        incomplete[expected] = value & MAX_ATTEMPTS
        expected += 1
    if expected > max(end, base):
        raise UndecodableOffsetMap("the offset map lists an offset beyond its window")
    return OffsetMap(base, end, incomplete, open=bool(payload[1] & _OPEN))


def _verified(metadata: str, topic: str, partition: int, base: int) -> bytes:
    """The payload, where its checksum is right for this place."""
    try:
        data = base64.b64decode(metadata, validate=True)
    except (binascii.Error, ValueError):
        raise UndecodableOffsetMap("the metadata is no offset map (not base64)") from None
    if len(data) < _SHORTEST:
        raise UndecodableOffsetMap("the metadata is no offset map (too short)")
    payload, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(payload, topic, partition, base):
        raise UndecodableOffsetMap(
            "the metadata's checksum is wrong: it is damaged, or no offset map, or was written for another topic, "
            "partition or offset (a mirrored group, perhaps)"
        )
    return payload


def _checksum(payload: bytes, topic: str, partition: int, base: int) -> bytes:
    place = topic.encode() + b"\0" + partition.to_bytes(4, "big") + base.to_bytes(8, "big")
    return binascii.crc32(place + payload).to_bytes(_CHECKSUM_BYTES, "big")


def _put_varint(target: bytearray, value: int) -> None:
    """Append an unsigned LEB128: seven bits a byte, the lowest first, the top bit set in all but the last."""
    if value < 0:
        raise ValueError(f"{value} is negative")
    while value > 0x7F:  # noqa: PLR2004 - seven bits
        target.append(value & 0x7F | 0x80)
        value >>= 7
    target.append(value)


class _VarintReader:
    """Takes varints from a payload."""

    def __init__(self, payload: bytes, start: int) -> None:
        self._payload = payload
        self._at = start

    @property
    def at_end(self) -> bool:
        return self._at == len(self._payload)

    def varint(self) -> int:
        value = 0
        for index, byte in enumerate(self._payload[self._at : self._at + _MAX_VARINT_BYTES]):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:  # noqa: PLR2004 - the last byte
                self._at += index + 1
                return value
        raise UndecodableOffsetMap("the offset map ends in the middle of a number")
