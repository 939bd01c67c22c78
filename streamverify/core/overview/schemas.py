"""JSON Schemas of what a worker says of itself, and of what is said of a group, with examples that are made here."""

from __future__ import annotations

from streamverify.core.delivery.group_position import GroupPosition
from streamverify.core.messages.schemas import as_files, model_schema
from streamverify.core.overview.build import overview, unassigned, workers
from streamverify.core.overview.card import Card, Versions
from streamverify.core.overview.group import STABLE, Broker, Group, GroupMember, ProcessAnswer, Seen
from streamverify.core.overview.members import workers_of
from streamverify.core.overview.model import OVERVIEW_VERSION, Overview, Readiness, Workers
from streamverify.core.overview.rates import History
from streamverify.core.overview.readiness import group_readiness
from streamverify.core.overview.status import (
    STATUS_VERSION,
    Answered,
    OldestProof,
    PartitionStatus,
    Recent,
    SlotStatus,
    WorkerStatus,
)

_AT = "2026-01-31T12:00:00Z"
_URL = "http://10.0.0.7:9464"
_VERSIONS = Versions(streamverify="0.1.0", kind="lean", lean="4.34.1", repl="v4.34.1", mathlib="v4.34.1", policy="3")


def overview_schema_files() -> dict[str, str]:
    """Make the text of each of these schemas, by the name of its file."""
    seen = _seen()
    readiness = group_readiness(seen.group_id, STABLE, workers_of(seen), unassigned(seen, [0, 1]))
    members = workers(seen, at=_AT, partitions=[0, 1])
    return as_files(
        {
            "worker-status": model_schema("worker-status", WorkerStatus, STATUS_VERSION, _status()),
            "overview": model_schema("overview", Overview, OVERVIEW_VERSION, overview(seen, History(), at=_AT)),
            "workers": model_schema("workers", Workers, OVERVIEW_VERSION, members),
            "readiness": model_schema("readiness", Readiness, OVERVIEW_VERSION, readiness),
        }
    )


def _seen() -> Seen:
    card = Card(name="prover-1", url=_URL, versions=_VERSIONS)
    id_ = "prover-1-0b2f4e62-6b9a-4c43-9d3c-0d5f6a1b2c3d"
    member = GroupMember(id_, "streamverify_lean-4.34.1", "/10.0.0.7", "prover-1:17", card, (0, 1))
    older = GroupMember(
        "streamverify_lean-4.33.0-7c9e6679-7425-40de-944b-e07fc1f90ae7", "streamverify_lean-4.33.0", "/10.0.0.8"
    )
    positions = (
        GroupPosition(0, 1207, 1330, 123, 120, [(1207, 0)], "open"),
        GroupPosition(1, 1180, 1180, 0, 0, [], "open"),
    )
    return Seen(
        "kafka:9092",
        "streamverify",
        "lean.proofs",
        Broker(Group(STABLE, (member, older)), positions, 2),
        {_URL: ProcessAnswer(_URL, "worker", _status(), ready=True)},
    )


def _status() -> WorkerStatus:
    slot = SlotStatus(
        slot=0,
        state="running",
        header="import Mathlib",
        age_seconds=1.25,
        custom_id="problem-17#3",
        memory_bytes=1_288_490_188,
        uses=41,
    )
    return WorkerStatus(
        schema_version=STATUS_VERSION,
        process="worker",
        name="prover-1",
        host="prover-1:17",
        url=_URL,
        brokers="kafka:9092",
        group="streamverify",
        topic="lean.proofs",
        versions=_VERSIONS,
        sandbox="bwrap",
        state="serving",
        ready=True,
        problem=None,
        uptime_seconds=3600.0,
        memory_bytes=73_400_320,
        slot_count=1,
        slots=[slot],
        slots_left_out=0,
        queued=118,
        running=1,
        in_flight=120,
        replays_queued=0,
        replays_running=0,
        partitions=[
            PartitionStatus(partition=0, position=1327, in_flight=120, lag=123, paused=False, quarantined=False),
            PartitionStatus(partition=1, position=1180, in_flight=0, lag=0, paused=False, quarantined=False),
        ],
        partitions_left_out=0,
        answered=Answered(verified=700, rejected=1680, inconclusive=7, cached=12, dead_letters=2, busy_seconds=3570.0),
        reasons={"lean_error": 1680, "ok": 700, "timeout": 7},
        recent=Recent(
            verified=12, rejected=28, inconclusive=0, cached=0, dead_letters=0, busy_seconds=59.5, seconds=60.0
        ),
        oldest=OldestProof(custom_id="problem-17#3", partition=0, offset=1207, age_seconds=71.5, here_seconds=69.0),
        lost_by_retention=0,
    )
