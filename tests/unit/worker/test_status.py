"""What a worker answers at `/status`: true, bounded whatever its proofs are called, and like the schema."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator

from streamverify.bus.fencing import this_process
from streamverify.core.activity import Activity
from streamverify.core.messages.models import Reason, Verifier
from streamverify.core.overview.schemas import overview_schema_files
from streamverify.core.overview.status import MAX_ID, MAX_PARTITIONS, MAX_SLOTS, MAX_STATUS, WorkerStatus
from streamverify.core.syntax.header import parse_header
from streamverify.lean.occupancy import SlotLook
from streamverify.runtime import HealthServer
from streamverify.settings import load_settings
from streamverify.worker.condition import WorkerCondition
from streamverify.worker.status import StatusReport

HEADER = parse_header("import Mathlib\nimport Aesop\n")
NOW, CLOCK = 1000.0, 1_800_000_000.0


def job(name: str, timestamp: int = 0, received: float = NOW - 5) -> Any:
    record = SimpleNamespace(
        id=SimpleNamespace(partition=3, offset=17), received=received, source=SimpleNamespace(timestamp=timestamp)
    )
    return SimpleNamespace(request=SimpleNamespace(custom_id=name), record=record, header=HEADER)


def report(looks: list[SlotLook], partitions: int = 2, oldest: Any = None, **more: Any) -> StatusReport:
    activity = Activity(0.0)
    activity.answered(Reason.OK, busy_seconds=2.0)
    activity.answered(Reason.SORRY, cached=True)
    activity.dead_letter()
    numbers = range(partitions)
    parts: dict[str, Any] = {
        "pool": SimpleNamespace(occupancy=SimpleNamespace(look=lambda _now: looks), running=1),
        "runner": SimpleNamespace(queued=4),
        "service": SimpleNamespace(
            answers=SimpleNamespace(activity=activity), quarantine=SimpleNamespace(waiting=1), oldest=oldest
        ),
        "partitions": SimpleNamespace(
            flow=SimpleNamespace(in_flight=7, in_flight_of=lambda number: number),
            restored=lambda: frozenset(numbers),
            readable=lambda *, paused=False: {number: 10 for number in numbers if paused or number},
            quarantined=lambda: frozenset({1}),
        ),
        "consumer": SimpleNamespace(known_end=lambda number: 15 if number else None, lost=0),
        "tiers": SimpleNamespace(queued=0, running=0),
    }
    return StatusReport(
        load_settings(group_id="g"),
        name="prover-1",
        verifier=Verifier(kind="lean", lean_version="4.34.1", policy_version="3"),
        condition=lambda: WorkerCondition("serving", ready=True, problem=None),
        slots=2,
        **{**parts, **more},
    )


def test_it_says_what_the_worker_does() -> None:
    looks = [
        SlotLook(0, "idle", HEADER, None, None, 1000, 3),
        SlotLook(1, "running", HEADER, 2.0, cast("Any", job("short")), 2000, 0),
        SlotLook(2, "running", HEADER, 9.0, cast("Any", job("long")), 3000, 1),
        SlotLook(3, "empty", None, None, None, None, 0),
    ]
    said = report(looks, oldest=job("first", int((CLOCK - 60) * 1000))).make(NOW, CLOCK)
    assert [slot.slot for slot in said.slots] == [2, 1, 0, 3]
    assert said.slots[0].header == "import Mathlib\nimport Aesop"
    assert (said.slots[0].custom_id, said.slots[0].age_seconds, said.slots[3].memory_bytes) == ("long", 9.0, None)
    assert (said.answered.verified, said.answered.rejected, said.answered.cached, said.answered.dead_letters) == (
        1,
        1,
        1,
        1,
    )
    assert said.answered.busy_seconds == said.recent.busy_seconds == 2.0
    assert [(each.partition, each.lag, each.paused, each.quarantined) for each in said.partitions] == [
        (0, None, True, False),
        (1, 6, False, True),
    ]
    assert said.oldest is not None
    assert (said.oldest.custom_id, said.oldest.age_seconds, said.oldest.here_seconds) == ("first", 60.0, 5.0)
    assert (said.host, said.queued, said.versions.lean, said.memory_bytes > 0) == (this_process(), 5, "4.34.1", True)


@pytest.mark.parametrize("timestamp", [-1, 0, int((CLOCK + 10**6) * 1000)])
def test_a_record_without_a_time_or_from_the_future_is_as_old_as_it_is_here(timestamp: int) -> None:
    said = report([], oldest=job("a", timestamp)).make(NOW, CLOCK)
    assert said.oldest is not None
    assert said.oldest.age_seconds == 5.0


async def test_it_is_bounded_however_much_there_is_and_whatever_it_is_called() -> None:
    name = "\U0001d11e\x1b[2J" * 400
    looks = [SlotLook(number, "running", HEADER, 1.0, cast("Any", job(name)), 10**12, 9) for number in range(5000)]
    made = report(looks, partitions=9000, oldest=job(name)).make(NOW, CLOCK)
    text = made.model_dump_json()
    assert len(text.encode()) < MAX_STATUS / 2
    assert (len(made.slots), made.slots_left_out) == (MAX_SLOTS, 5000 - MAX_SLOTS)
    assert (len(made.partitions), made.partitions_left_out) == (MAX_PARTITIONS, 9000 - MAX_PARTITIONS)
    assert len(made.slots[0].custom_id or "") == MAX_ID
    assert WorkerStatus.model_validate_json(text) == made
    schema = json.loads(overview_schema_files()["worker-status.schema.json"])
    assert Draft202012Validator(schema).is_valid(json.loads(text))


async def test_it_is_answered_over_http() -> None:
    says = report([])
    server = HealthServer("127.0.0.1", 0, ready=lambda: True, status=dict, more={"/status": says.answer})
    async with TestClient(TestServer(server._runner.app)) as client, client.get("/status") as got:
        assert got.status == 200
        assert got.content_type == "application/json"
        assert WorkerStatus.model_validate_json(await got.text()).group == "g"


def test_the_group_is_told_who_the_worker_is_and_where() -> None:
    says = report([])
    says.listens_at("http://10.0.0.7:9464")
    card = says.card()
    assert (card.name, card.url, card.versions.policy) == ("prover-1", "http://10.0.0.7:9464", "3")
