"""The records of the topic `lean.groups`: workers announce winners to each other, and people cancel requests. Pure.

The key of a winner is its scope and a digest of its id, so that compaction keeps each winner of a scope; that of a
cancellation begins with `cancellation:` and is a digest of whom it means, so that compaction keeps the newest. The time
of both is the record's timestamp.

A version that does not know cancellations finds no scope in one: it logs that it does not understand the record, and
goes on. This one does so with kinds that it does not know, and with a cancellation that has a field more: that field
may be a condition, and without it more would be ended than was meant.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamverify.core.groups.cancellation import Cancellation, Names
from streamverify.core.groups.groups import Winner
from streamverify.core.messages.models import MAX_CUSTOM_ID, MAX_RUN, Assurance
from streamverify.core.messages.schemas import named, without_titles

if TYPE_CHECKING:
    from streamverify.core.messages.schemas import Schema

MAX_IDS = 100
"""The number of ids in one record: of 512 code points each, they are far from what a topic takes."""
_MAX_PARTITIONS = 100_000
_MAX_KEY_NAME = 256
_CANCELLATION = b"cancellation:"
_LAST_MS = 253_402_300_799_000
"""The last second that a result can name."""


class AnnouncementRecord(NamedTuple):
    """A record to send to Kafka."""

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
    """Make the record that announces a winner."""
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


class _Cancellation(BaseModel):
    """The value of a record that cancels requests."""

    model_config = ConfigDict(extra="forbid", strict=True)

    consumer_group: Annotated[str, Field(min_length=1, description="The group of the workers that are meant.")]
    topic: Annotated[str, Field(min_length=1, description="The request topic.")]
    run: Annotated[
        str | None, Field(min_length=1, max_length=MAX_RUN, description="Requests of this run; null: of any.")
    ] = None
    group: Annotated[
        str | None, Field(min_length=1, max_length=MAX_RUN, description="Requests of this group; null: of any.")
    ] = None
    ids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_CUSTOM_ID)]],
        Field(max_length=MAX_IDS, description="Requests with one of these custom_ids; empty: with any."),
    ]
    api_key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=_MAX_KEY_NAME,
            description="Requests that were sent to a gateway with the API key of this name; null: whoever sent them.",
        ),
    ] = None
    ends: Annotated[
        list[Annotated[int, Field(ge=0, lt=2**63)]],
        Field(
            max_length=_MAX_PARTITIONS,
            description="By partition the offset that was next when it was made: only requests before it are meant.",
        ),
    ]


def cancellation_schema() -> Schema:
    """Make the JSON Schema of the value of a record that cancels requests, with an example."""
    schema = without_titles(_Cancellation.model_json_schema())
    example = _Cancellation(
        consumer_group="streamverify", topic="lean.proofs", run="tuesday", ids=[], ends=[5120, 4987, 5033]
    )
    description = "Requests were cancelled: those that are there and have no answer are not to be run."
    body = schema | {"examples": [example.model_dump(mode="json")]}
    body.pop("description")
    return named("cancellation", "Cancellation", description, body)


def encode_cancellation(cancellation: Cancellation) -> AnnouncementRecord:
    """Make the record that cancels requests.

    Raises:
        ValueError: A name is too long, or there is none, or there are more ids than one record takes.
    """
    names = cancellation.names
    if not names:
        raise ValueError("a cancellation has to name a run, a group, an id or an API key")
    try:
        value = _Cancellation(
            consumer_group=cancellation.consumer_group,
            topic=cancellation.topic,
            run=names.run,
            group=names.group,
            ids=sorted(names.ids),
            api_key=names.api_key,
            ends=list(cancellation.ends),
        )
    except ValidationError as error:
        raise ValueError(_first(error)) from None
    # Not the ends: the same names again are to replace the older record when the topic is compacted.
    whom = [value.consumer_group, value.topic, value.run, value.group, value.ids, value.api_key]
    digest = hashlib.sha256(json.dumps(whom).encode()).hexdigest()[:32]
    return AnnouncementRecord(
        _CANCELLATION + digest.encode(), value.model_dump_json().encode(), int(cancellation.cancelled * 1000)
    )


def is_cancellation(key: bytes | None) -> bool:
    """Tell by its key whether a record cancels requests, however old it is; all others are winners."""
    return key is not None and key.startswith(_CANCELLATION)


def decode_cancellation(value: bytes | None, timestamp_ms: int) -> Cancellation:
    """Read the cancellation in a record.

    Raises:
        ValueError: This version does not know such a record. The message says why.
    """
    try:
        known = _Cancellation.model_validate_json(value or b"null")
    except ValidationError as error:
        raise ValueError(_first(error)) from None
    names = Names(known.run, known.group, frozenset(known.ids), known.api_key)
    if not names:
        raise ValueError("a cancellation that names nothing ends nothing")
    if timestamp_ms > _LAST_MS:
        raise ValueError("the time of the record is beyond the year 9999")
    return Cancellation(known.consumer_group, known.topic, names, tuple(known.ends), max(0, timestamp_ms) / 1000)


def decode_announcement(value: bytes | None, timestamp_ms: int) -> Winner:
    """Read the winner that a record announces.

    Raises:
        ValueError: The record is no announcement that this version knows. The message says why.
    """
    try:
        known = _Announcement.model_validate_json(value or b"null")
    except ValidationError as error:
        raise ValueError(_first(error)) from None
    if known.assurance is Assurance.NONE:
        raise ValueError("assurance: what is not verified is no winner")
    return Winner(
        known.scope, known.custom_id, known.partition, known.offset, known.assurance, max(0, timestamp_ms) / 1000
    )


def _first(error: ValidationError) -> str:
    """Say where the first fault is, and which."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
