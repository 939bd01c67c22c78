"""The status of a worker, as it says it at `/status`. Bounded: no proof, every text cut, and lists that end.

`streamverify schema worker-status` makes its JSON Schema. All durations are in seconds, all memory in bytes.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from streamverify.core.overview.card import Versions  # noqa: TC001 - pydantic reads the annotations

STATUS_VERSION = 1
"""Version of the status. It grows when a reader that knows the old one would misread the new one."""
MAX_SLOTS = 256
MAX_PARTITIONS = 256
MAX_ID = 160
"""Characters of a custom_id."""
MAX_TEXT = 200
"""Characters of a header, or of any other text."""
MAX_STATUS = 1024 * 1024
"""Bytes that a reader takes of a status. One of this size never occurs: it is a stranger's."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Text = Annotated[str, Field(max_length=MAX_TEXT + 1)]

# Fields that the status of a worker and the view of its group both have.
FormVersion = Annotated[Count, Field(description="Version of this form.")]
InFlight = Annotated[Count, Field(description="Records taken in and not committed as finished.")]
Queued = Annotated[Count, Field(description="Proofs that wait for a slot.")]
ItsPartition = Annotated[Count, Field(description="Its partition.")]
ItsOffset = Annotated[Count, Field(description="Its offset.")]
AgeSeconds = Annotated[Seconds, Field(description="Time since it was sent, by the timestamp of its record.")]
HereSeconds = Annotated[Seconds, Field(description="Time since the worker took it in.")]


class StatusPart(BaseModel):
    """A part of a status. A later version may add fields, and a reader takes what it knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SlotStatus(StatusPart):
    """A slot: room for one REPL process."""

    slot: Annotated[Count, Field(description="Number of the slot.")]
    state: Annotated[
        Text,
        Field(description="`running` a proof, `importing` a header, `idle` with its process, or `empty`: no process."),
    ]
    header: Annotated[
        Text | None, Field(description="Import header that it runs, imports, or used last; cut. Empty: no imports.")
    ]
    age_seconds: Annotated[Seconds | None, Field(description="Time in this state; null: idle or empty.")]
    custom_id: Annotated[Text | None, Field(description="The proof that it runs or imports for; cut.")]
    memory_bytes: Annotated[Count | None, Field(description="Private memory of its process and all below it.")]
    uses: Annotated[Count, Field(description="Proofs that its process has run.")]


class PartitionStatus(StatusPart):
    """A partition of the request topic that the worker has."""

    partition: Annotated[Count, Field(description="Number of the partition.")]
    position: Annotated[Count, Field(description="Offset of the record that is read next.")]
    in_flight: InFlight
    lag: Annotated[
        Count | None,
        Field(
            description="Records in flight and records not read, by what the last fetch said of the partition's end; "
            "null: nothing was fetched yet."
        ),
    ]
    paused: Annotated[bool, Field(description="No more is taken in until there is room, or while it is restored.")]
    quarantined: Annotated[bool, Field(description="A worker died here: each record's attempt is committed first.")]


class Answered(StatusPart):
    """Records that were answered, by status."""

    verified: Annotated[Count, Field(description="Results that are `verified`.")] = 0
    rejected: Annotated[Count, Field(description="Results that are `rejected`.")] = 0
    inconclusive: Annotated[Count, Field(description="Results that are `inconclusive`.")] = 0
    cached: Annotated[Count, Field(description="Of these: answered from the cache.")] = 0
    dead_letters: Annotated[Count, Field(description="Records that became dead letters.")] = 0
    busy_seconds: Annotated[
        Seconds, Field(description="Time that slots have run the answered records, without imports.")
    ] = 0.0

    @property
    def total(self) -> int:
        """The number of results."""
        return self.verified + self.rejected + self.inconclusive


class Recent(Answered):
    """The answers of the last minute, or a little more."""

    seconds: Annotated[Seconds, Field(description="The length of that time.")] = 0.0


class OldestProof(StatusPart):
    """The record that came first of those that are not answered."""

    custom_id: Annotated[Text, Field(description="Its custom_id, cut.")]
    partition: ItsPartition
    offset: ItsOffset
    age_seconds: AgeSeconds
    here_seconds: HereSeconds


class WorkerStatus(StatusPart):
    """The state of a worker at this moment."""

    schema_version: FormVersion
    process: Annotated[Text, Field(description="`worker`.")]
    name: Annotated[Text, Field(description="The worker's name in its results.")]
    host: Annotated[Text, Field(description="Its machine and process number, `HOST:PID`.")]
    url: Annotated[Text | None, Field(description="The address that it tells its group.")]
    brokers: Annotated[Text, Field(description="Bootstrap servers, cut.")]
    group: Annotated[str, Field(max_length=249, description="Its consumer group.")]
    topic: Annotated[str, Field(max_length=249, description="The request topic.")]
    versions: Annotated[Versions, Field(description="The versions on which its verdicts depend.")]
    sandbox: Annotated[Text, Field(description="The sandbox of Lean.")]
    state: Annotated[
        Text,
        Field(
            description="`starting`: it imports headers before it joins its group; `joining`: its group has not given "
            "it partitions yet, also while that rebalances; `serving`; `draining`; `no_broker`: none answers."
        ),
    ]
    ready: Annotated[bool, Field(description="What `/ready` says.")]
    problem: Annotated[Text | None, Field(description="What keeps it from its work, in words.")]
    uptime_seconds: Annotated[Seconds, Field(description="Time since its start.")]
    memory_bytes: Annotated[Count, Field(description="Memory of the worker itself, without its REPLs.")]
    slot_count: Annotated[Count, Field(description="Proofs that it runs at once.")]
    slots: Annotated[
        list[SlotStatus],
        Field(max_length=MAX_SLOTS, description="Its slots, spares included: those that work, the longest first."),
    ]
    slots_left_out: Annotated[Count, Field(description="Slots for which there was no room in that list.")]
    queued: Queued
    running: Annotated[Count, Field(description="Proofs that Lean runs, or imports a header for.")]
    in_flight: InFlight
    replays_queued: Annotated[Count, Field(description="Proofs that wait to be taken above `audited`.")]
    replays_running: Annotated[Count, Field(description="Proofs that are taken above `audited`.")]
    partitions: Annotated[
        list[PartitionStatus], Field(max_length=MAX_PARTITIONS, description="Its partitions, by number.")
    ]
    partitions_left_out: Annotated[Count, Field(description="Partitions for which there was no room in that list.")]
    answered: Annotated[Answered, Field(description="What was answered since the start.")]
    reasons: Annotated[dict[Text, Count], Field(max_length=100, description="Results since the start, by reason.")]
    recent: Annotated[Recent, Field(description="What was answered lately.")]
    oldest: Annotated[OldestProof | None, Field(description="The oldest proof without an answer; null: there is none.")]
    lost_by_retention: Annotated[Count, Field(description="Records, at most, that were deleted before they were read.")]


def cut(text: str, width: int = MAX_TEXT) -> str:
    """Cut a text to `width` characters, the last of which says that it was cut."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
