"""A worker of a later version, as far as others can tell: `python future_worker.py worker` in place of `streamverify`.

It writes what this version does not know, and reads what this version writes, as docs/upgrades.md promises of a later
one: offset maps of version 2 with a field more, results of a later schema with fields and a reason that nobody knows,
dead letters with a further header, and announcements and cancellations with a field more.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

from streamverify import cli
from streamverify.bus import announcements
from streamverify.core.delivery import offset_map, partition_state
from streamverify.core.groups import announcement
from streamverify.core.messages import codec, dead_letter
from streamverify.worker import results

if TYPE_CHECKING:
    from streamverify.core.messages.codec import EncodedResult

MAP_VERSION = 2
SCHEMA_VERSION = 4
UNKNOWN_REASON = "sorry_somewhere"
"""What it says of a proof of which this version says `sorry`; the status is the same."""
_MORE = b"\x2a\x00"

_encode_map, _decode_map, _verified = offset_map.encode_map, offset_map.decode_map, offset_map._verified
_all_kafka_headers = dead_letter.DeadLetter.all_kafka_headers


def _sealed(payload: bytes, topic: str, partition: int, base: int) -> str:
    return base64.b64encode(payload + offset_map._checksum(payload, topic, partition, base)).decode()


def encode_map(offsets: offset_map.OffsetMap, topic: str, partition: int) -> str:
    payload = _verified(_encode_map(offsets, topic, partition), topic, partition, offsets.base)
    return _sealed(bytes((MAP_VERSION, payload[1])) + _MORE + payload[2:], topic, partition, offsets.base)


def decode_map(metadata: str, topic: str, partition: int, base: int) -> offset_map.OffsetMap:
    """Both versions."""
    payload = _verified(metadata, topic, partition, base)
    if payload[0] == MAP_VERSION:
        older = bytes((offset_map.VERSION, payload[1])) + payload[2 + len(_MORE) :]
        metadata = _sealed(older, topic, partition, base)
    return _decode_map(metadata, topic, partition, base)


def encode_result(*args: Any, **named: Any) -> EncodedResult:
    encoded = codec.encode_result(*args, **named)
    said = orjson.loads(encoded.value)
    said |= {"schema_version": SCHEMA_VERSION, "kindness": {"of": ["strangers"]}}
    said["timings"]["thinking"] = 0.1
    if said["reason"] == "sorry":
        said["reason"] = UNKNOWN_REASON
    return type(encoded)(orjson.dumps(said), encoded.kafka_headers_dropped)


def encode_announcement(winner: Any) -> Any:
    record = announcement.encode_announcement(winner)
    return record._replace(value=orjson.dumps(orjson.loads(record.value) | {"by": "a later version"}))


def all_kafka_headers(letter: Any) -> list[tuple[str, bytes | None]]:
    return [*_all_kafka_headers(letter), (f"{dead_letter.PREFIX}advice", b"wait")]


def main() -> None:
    vars(partition_state).update(encode_map=encode_map, decode_map=decode_map)
    vars(results).update(encode_result=encode_result)
    vars(announcements).update(encode_announcement=encode_announcement)
    setattr(dead_letter.DeadLetter, "all_kafka_headers", all_kafka_headers)  # noqa: B010 - mypy knows the method
    cli.main()


if __name__ == "__main__":
    main()
