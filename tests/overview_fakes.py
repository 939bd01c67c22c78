"""Workers, their groups and what they say, without any of them being there."""

from __future__ import annotations

from typing import Any

from streamverify.core.overview.card import Card, Versions
from streamverify.core.overview.group import STABLE, Broker, Group, GroupMember, ProcessAnswer, Seen
from streamverify.core.overview.status import STATUS_VERSION, Answered, Recent, SlotStatus, WorkerStatus

UUID = "0b2f4e62-6b9a-4c43-9d3c-0d5f6a1b2c3d"
LEAN = Versions(streamverify="0.1.0", kind="lean", lean="4.34.1", repl="v4.34.1", mathlib="v4.34.1", policy="3")


def slot(number: int = 0, state: str = "idle", **given: Any) -> SlotStatus:
    fields: dict[str, Any] = {
        "slot": number,
        "state": state,
        "header": "import Mathlib",
        "age_seconds": None,
        "custom_id": None,
        "memory_bytes": 1024**3,
        "uses": 3,
    }
    return SlotStatus(**{**fields, **given})


def status(name: str = "prover-1", pid: int = 17, **given: Any) -> WorkerStatus:
    """What a worker says; `answered` and `recent` may be given as dictionaries."""
    fields: dict[str, Any] = {
        "schema_version": STATUS_VERSION,
        "process": "worker",
        "name": name,
        "host": f"{name}:{pid}",
        "url": f"http://{name}:9464",
        "brokers": "kafka:9092",
        "group": "streamverify",
        "topic": "lean.proofs",
        "versions": LEAN,
        "sandbox": "none",
        "state": "serving",
        "ready": True,
        "problem": None,
        "uptime_seconds": 100.0,
        "memory_bytes": 70 * 1024**2,
        "slot_count": 2,
        "slots": [slot(0), slot(1)],
        "slots_left_out": 0,
        "queued": 0,
        "running": 0,
        "in_flight": 0,
        "replays_queued": 0,
        "replays_running": 0,
        "partitions": [],
        "partitions_left_out": 0,
        "answered": Answered(),
        "reasons": {},
        "recent": Recent(seconds=60.0),
        "oldest": None,
        "lost_by_retention": 0,
    }
    return WorkerStatus.model_validate({**fields, **given})


def member(name: str = "prover-1", /, *, pid: int = 17, partitions: tuple[int, ...] = (), **card: Any) -> GroupMember:
    """A static member of the group, as the worker of `status` would be."""
    said = Card(**{"name": name, "url": f"http://{name}:9464", "versions": LEAN, **card})
    return GroupMember(f"{name}-{UUID}", "streamverify_lean-4.34.1", "/10.0.0.7", f"{name}:{pid}", said, partitions)


def seen(*members: GroupMember, state: str = STABLE, answers: tuple[ProcessAnswer, ...] = (), **broker: Any) -> Seen:
    """What is known of a group with these members."""
    found = Broker(group=Group(state, members), **broker)
    return Seen("kafka:9092", "streamverify", "lean.proofs", found, {each.url: each for each in answers}, "here")


def answer(said: WorkerStatus) -> ProcessAnswer:
    """The answer of the worker that says this, at its own address."""
    assert said.url is not None
    return ProcessAnswer(said.url, "worker", said, ready=said.ready, problem=said.problem)
