"""The forms in which `top`, `workers` and `status` answer, as they print them with `--json`.

`streamverify schema` makes their JSON Schemas. Durations are in seconds, memory in bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streamverify.core.overview.card import Versions  # noqa: TC001 - pydantic reads the annotations
from streamverify.core.overview.status import (
    AgeSeconds,
    Count,
    FormVersion,
    HereSeconds,
    InFlight,
    ItsOffset,
    ItsPartition,
    Queued,
    Seconds,
    StatusPart,
    WorkerStatus,
)

OVERVIEW_VERSION = 1
"""Version of all three. It grows when a reader that knows the old one would misread the new one."""

MemberState = Literal[
    "starting",
    "joining",
    "serving",
    "draining",
    "no_broker",
    "silent",
    "local",
    "older",
    "foreign",
    "unknown",
    "other",
]
"""`docs/top.md` explains the words."""

# Fields that several of these have.
At = Annotated[str, Field(description="When this was put together: RFC 3339, UTC.")]
GroupName = Annotated[str, Field(description="The consumer group.")]
Topic = Annotated[str, Field(description="The request topic.")]
Problems = Annotated[list[str], Field(description="What is missing here and why, each in one sentence.")]
ToDo = Annotated[Count, Field(description="The same without those that are finished.")]


class MixedVersion(StatusPart):
    """A version in which workers of one group differ: a verdict depends on which of them gets the record."""

    what: Annotated[
        str, Field(description="`streamverify`, `kind`, `lean`, `repl`, `mathlib` or `policy`, as in `versions`.")
    ]
    versions: Annotated[
        dict[str, list[str]], Field(description="The names of the workers by their version; `none` where it has none.")
    ]


Mixed = Annotated[list[MixedVersion], Field(description="Versions in which the workers differ.")]


class Member(StatusPart):
    """A member of the group, or a worker that was found by its address."""

    name: Annotated[str, Field(description="The worker's name, else its process, else the id that Kafka gave it.")]
    state: Annotated[
        MemberState,
        Field(
            description="What it says of itself (`starting`, `joining`, `serving`, `draining`, `no_broker`; `other`: a "
            "word of a later version), or why nothing is known of it: `silent` (no answer at its address), `local` "
            "(its address is for its own machine only), `older` (its version tells no address), `foreign` (no worker "
            "of streamverify), `unknown` (the group rebalances and tells nothing of its members)."
        ),
    ]
    ready: Annotated[bool | None, Field(description="Whether it is ready; null: it was not asked or did not answer.")]
    problem: Annotated[str | None, Field(description="What is wrong with it, or missing, in words.")]
    url: Annotated[str | None, Field(description="The address at which it answers.")]
    host: Annotated[str, Field(description="Its machine: `HOST:PID` as it says, else the address that Kafka sees.")]
    member_id: Annotated[str | None, Field(description="Its id in the group; null: found by its address alone.")]
    static_name: Annotated[str | None, Field(description="Its `group.instance.id`; null: it has none.")]
    partitions: Annotated[list[Count], Field(description="Its partitions of the request topic.")]
    versions: Annotated[Versions, Field(description="The versions on which its verdicts depend.")]


class WorkerView(Member):
    """A member with what it says at `/status`."""

    per_second: Annotated[
        Seconds | None, Field(description="Its results in a second, measured as in `rates`; null: it did not answer.")
    ]
    status: Annotated[WorkerStatus | None, Field(description="What it says of itself; null: it did not answer.")]


class OtherProcess(StatusPart):
    """A process of streamverify at an address of `--url` that is no worker."""

    url: Annotated[str, Field(description="Its address.")]
    process: Annotated[str, Field(description="`router`, `table`, `gateway` or `unknown`.")]
    ready: Annotated[bool | None, Field(description="Whether it is ready; null: it did not answer.")]
    problem: Annotated[str | None, Field(description="What is wrong with it, in words.")]


class Totals(StatusPart):
    """Sums over the workers that answered, and how many there are."""

    workers: Annotated[Count, Field(description="Workers of the group, without foreign members.")]
    answering: Annotated[Count, Field(description="Of these: answered.")]
    ready: Annotated[Count, Field(description="Of these: ready.")]
    slots: Annotated[Count, Field(description="Proofs that run at once.")]
    running: Annotated[Count, Field(description="Proofs that run.")]
    queued: Queued
    in_flight: InFlight
    memory_bytes: Annotated[Count, Field(description="Memory of the workers and of the REPLs that they list.")]
    verified: Annotated[Count, Field(description="Verified since each worker's start.")]
    rejected: Annotated[Count, Field(description="Rejected since then.")]
    inconclusive: Annotated[Count, Field(description="Inconclusive since then.")]
    cached: Annotated[Count, Field(description="Of these three: answered from the cache.")]
    dead_letters: Annotated[Count, Field(description="Dead letters since then.")]


class Rates(StatusPart):
    """Results in a second, over the workers that answered."""

    seconds: Annotated[Seconds, Field(description="The longest time over which one of them was measured.")]
    verified: Annotated[Seconds, Field(description="Verified results in a second.")]
    rejected: Annotated[Seconds, Field(description="Rejected results in a second.")]
    inconclusive: Annotated[Seconds, Field(description="Inconclusive results in a second.")]
    total: Annotated[Seconds, Field(description="Their sum.")]
    cached: Annotated[Seconds, Field(description="Of these: from the cache.")]


class PartitionLag(StatusPart):
    """The progress of the group on one partition."""

    partition: Annotated[Count, Field(description="Number of the partition.")]
    committed: Annotated[Count | None, Field(description="The committed offset; null: none was ever committed.")]
    end: Annotated[Count, Field(description="The offset that the next record will have.")]
    lag: Annotated[Count, Field(description="Records after the committed offset.")]
    to_do: ToDo
    worker: Annotated[str | None, Field(description="The name of the member that has it; null: none, or not known.")]


class Lag(StatusPart):
    """Records that have no answer, as the broker has it."""

    records: Annotated[Count, Field(description="Kafka's lag: records after the committed offsets.")]
    to_do: ToDo
    seconds: Annotated[
        Seconds | None,
        Field(
            description="Estimated time until they are done: `to_do` times the mean time of a proof in a slot, divided "
            "by the slots of the workers that answered; null: nothing was answered yet, or no worker answers."
        ),
    ]
    partitions: Annotated[list[PartitionLag], Field(description="By partition.")]


class Oldest(StatusPart):
    """The oldest proof that a worker has taken in and not answered."""

    custom_id: Annotated[str, Field(description="Its custom_id, cut.")]
    worker: Annotated[str, Field(description="The worker that has it.")]
    partition: ItsPartition
    offset: ItsOffset
    age_seconds: AgeSeconds
    here_seconds: HereSeconds


class Overview(StatusPart):
    """A group of workers at one moment: what the broker says of the group, and each worker of itself."""

    schema_version: FormVersion
    at: At
    brokers: Annotated[str, Field(description="Bootstrap servers.")]
    group: GroupName
    topic: Topic
    group_state: Annotated[
        str | None,
        Field(
            description="Kafka's word: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty` or `Dead`; null: "
            "the broker did not say."
        ),
    ]
    problems: Problems
    totals: Annotated[Totals, Field(description="Sums over the workers.")]
    rates: Annotated[Rates | None, Field(description="Results in a second; null: no worker answers.")]
    lag: Annotated[Lag | None, Field(description="Records without an answer; null: the broker did not say.")]
    oldest: Annotated[Oldest | None, Field(description="The oldest proof in hand; null: there is none.")]
    dead_letters: Annotated[
        Count | None, Field(description="Records on the dead letter topic; null: the broker did not say.")
    ]
    mixed_versions: Mixed
    workers: Annotated[list[WorkerView], Field(description="The members of the group, by name.")]
    processes: Annotated[list[OtherProcess], Field(description="What else answers at an address of `--url`.")]


class Workers(StatusPart):
    """The members of a group: their versions and partitions."""

    schema_version: FormVersion
    at: At
    group: GroupName
    topic: Topic
    group_state: Annotated[str | None, Field(description="As in an overview.")]
    problems: Problems
    unassigned: Annotated[list[Count], Field(description="Partitions that no member has.")]
    mixed_versions: Mixed
    workers: Annotated[list[Member], Field(description="The members of the group, by name.")]


class Readiness(StatusPart):
    """The answer of `streamverify status`."""

    schema_version: FormVersion
    of: Annotated[str, Field(description="The group, or the address of the process.")]
    state: Annotated[
        Literal["ready", "not_ready", "nobody"],
        Field(description="`ready` (exit code 0), `not_ready` (1), `nobody`: nothing is there (3)."),
    ]
    why: Annotated[list[str], Field(description="The reasons, or what could not be found out; each in one sentence.")]
