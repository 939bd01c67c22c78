"""The records of the topic on which workers announce winners to each other. Pure.

The key is the scope and a digest of the winner's id, so that compaction keeps each winner of a scope; the time of the
announcement is the record's timestamp.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from streamverify.core.groups.groups import Winner
from streamverify.core.messages.models import MAX_CUSTOM_ID, Assurance
from streamverify.core.messages.schemas import named, without_titles

if TYPE_CHECKING:
    from streamverify.core.messages.schemas import Schema


class AnnouncementRecord(NamedTuple):
    """What is sent to Kafka."""

    key: bytes
    value: bytes
    timestamp_ms: int


class _Announcement(BaseModel):
    """The value of a record."""

    scope: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="Digest of whose attempts, and at what.")]
    custom_id: Annotated[
        str, Field(min_length=1, max_length=MAX_CUSTOM_ID, description="The attempt that was verified.")
    ]
    partition: Annotated[int, Field(ge=0, description="Partition of its request.")]
    offset: Annotated[int, Field(ge=0, description="Offset of its request.")]
    assurance: Annotated[Assurance, Field(description="What it reached.")]


def announcement_schema() -> Schema:
    """Make the JSON Schema of the value of a record, with an example."""
    schema = without_titles(_Announcement.model_json_schema())
    example = _Announcement(
        scope="0" * 31 + "1", custom_id="q7#3", partition=4, offset=1209, assurance=Assurance.AUDITED
    )
    description = "An attempt of a group was verified: the attempts that remain need no answer of their own."
    body = schema | {"examples": [example.model_dump(mode="json")]}
    body.pop("description")
    return named("announcement", "Announcement", description, body)


def encode_announcement(winner: Winner) -> AnnouncementRecord:
    """The record that announces a winner."""
    digest = hashlib.sha256(winner.custom_id.encode()).hexdigest()[:16]
    value = _Announcement(
        scope=winner.scope,
        custom_id=winner.custom_id,
        partition=winner.partition,
        offset=winner.offset,
        assurance=winner.assurance,
    )
    return AnnouncementRecord(
        f"{winner.scope}:{digest}".encode(), value.model_dump_json().encode(), int(winner.announced * 1000)
    )


def decode_announcement(value: bytes | None, timestamp_ms: int) -> Winner:
    """The winner that a record announces.

    Raises:
        ValueError: The record is no announcement that this version knows. The message says why.
    """
    try:
        known = _Announcement.model_validate_json(value or b"null")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()) from None
    if known.assurance is Assurance.NONE:
        raise ValueError("assurance: what is not verified is no winner")
    return Winner(
        known.scope, known.custom_id, known.partition, known.offset, known.assurance, max(0, timestamp_ms) / 1000
    )
