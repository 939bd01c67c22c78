"""`streamverify retry` on a broker: what it sends again, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cli_fakes import make_result
from command import make_environment, run_command, serving_worker, settings_of

from streamverify.bus.admin import open_admin
from streamverify.bus.connection import make_producer
from streamverify.client import AsyncClient
from streamverify.client.dead_letter_topic import DeadLetters
from streamverify.client.result_topic import read_results
from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import ProofRequest, Reason, Source
from streamverify.core.messages.retries import RETRIES
from streamverify.core.messages.selection import ResultSelection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamverify.client import Ticket
    from streamverify.settings import Settings

PROOF = "theorem t : True := trivial"


async def send(settings: Settings, *requests: ProofRequest) -> list[Ticket]:
    """Send requests. The tickets have the records' own timestamps: the embedded broker acknowledges another one."""
    topic = DeadLetters(settings)
    async with AsyncClient(settings) as client:
        tickets = [await client.submit(request) for request in requests]
        records = [await topic.fetch(ticket.topic, ticket.partition, ticket.offset) for ticket in tickets]
        return [
            replace(ticket, timestamp=record.timestamp)
            for ticket, record in zip(tickets, records, strict=True)
            if record
        ]


async def answer(settings: Settings, *answers: tuple[Ticket, Reason, Mapping[str, Any]]) -> None:
    """Put results on the topic, as a worker would have, with further fields and `headers`."""
    producer = make_producer(settings)
    await producer.start()
    for ticket, reason, more in answers:
        place = {"topic": ticket.topic, "partition": ticket.partition, "offset": ticket.offset}
        source = Source(**place | {"timestamp": ticket.timestamp} | dict(more.get("source", {})))
        result = make_result(ticket.custom_id, reason, run=more.get("run")).model_copy(update={"source": source})
        value = encode_result(result, limit=1_000_000, overhead=0).value
        headers: Sequence[tuple[str, bytes]] = more.get("headers", ())
        await producer.send_and_wait(settings.result_topic, value, ticket.custom_id.encode(), headers=list(headers))
    await producer.stop()


async def results(settings: Settings) -> dict[str, list[tuple[str, bytes | None]]]:
    """For each custom_id the reasons on the topic, each with what its header says of retries."""
    found: dict[str, list[tuple[str, bytes | None]]] = {}
    async for each in read_results(settings, ResultSelection()):
        found.setdefault(each.result.custom_id, []).append(
            (str(each.result.reason), dict(each.kafka_headers).get(RETRIES))
        )
    return found


def requests(*names: str) -> list[ProofRequest]:
    return [ProofRequest(custom_id=name, proof=PROOF) for name in names]


def test_what_no_worker_could_decide_is_sent_again_and_gets_its_verdict(env: dict[str, str]) -> None:
    settings = settings_of(env)
    a, b, c, d, gone, anew, spent = asyncio.run(send(settings, *requests("a", "b", "c", "d", "gone", "anew", "spent")))
    asyncio.run(
        answer(
            settings,
            (a, Reason.OUT_OF_MEMORY, {"headers": [("trace", b"1")]}),
            (b, Reason.WORKER_ERROR, {}),
            (b, Reason.OK, {}),  # a repeat decided it
            (c, Reason.TIMEOUT, {}),  # not retriable
            (d, Reason.WORKER_ERROR, {}),
            (gone, Reason.WORKER_ERROR, {"source": {"offset": 10_000}}),
            (anew, Reason.WORKER_ERROR, {"source": {"timestamp": 5}}),
            (spent, Reason.WORKER_ERROR, {"headers": [(RETRIES, b"3")]}),
        )
    )
    since = ["--since", "1h"]
    dry = run_command(env, "retry", *since, "--dry-run", "--json")
    assert (dry.returncode, dry.stderr.count("error")) == (3, 0), dry.stderr
    said = json.loads(dry.stdout)
    assert {each["custom_id"] for each in said.pop("gone")} == {"gone", "anew"}
    assert said == {
        "topic": settings.request_topic,
        "dry_run": True,
        "retriable": 6,
        "answered": 1,
        "sent": 2,
        "reasons": {"out_of_memory": 1, "worker_error": 1},
        "spent": 1,
        "elsewhere": 0,
        "left": 0,
    }
    one = run_command(env, "retry", *since, "--most", "2")
    assert one.returncode == 3
    assert "no longer on its topic" in one.stderr
    chosen = run_command(env, "retry", *since, "--reason", "out_of_memory", "--prefix", "a")
    assert chosen.returncode == 0, chosen.stderr
    assert chosen.stdout == f"1 request sent to {settings.request_topic} again (1 out_of_memory)\n"
    with serving_worker(env):
        found: dict[str, list[tuple[str, bytes | None]]] = {}
        # The first requests waited for a worker all the time, and those that were sent again come after them.
        while not (("ok", b"1") in found.get("a", []) and ("ok", None) in found.get("d", [])):
            found = asyncio.run(results(settings))
    # Now everything that could be decided is, so nothing is left to be sent.
    again = json.loads(run_command(env, "retry", *since, "--id", "a", "--id", "d", "--json").stdout)
    assert (again["sent"], again["answered"]) == (0, 2)


def test_no_result_is_no_work(env: dict[str, str]) -> None:
    settings = settings_of(env)
    asyncio.run(send(settings, *requests("a")))
    asyncio.run(answer(settings, *[(each, Reason.OK, {}) for each in asyncio.run(send(settings, *requests("b")))]))
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for since in ("1h", tomorrow):
        done = run_command(env, "retry", "--since", since)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"0 requests sent to {settings.request_topic} again\n"


@pytest.mark.kafka
def test_what_retention_took_is_reported(kafka: str) -> None:
    env = make_environment(kafka, real=True)
    settings = settings_of(env)
    tickets = asyncio.run(send(settings, *requests(*(f"r{number}" for number in range(30)))))
    asyncio.run(answer(settings, *((ticket, Reason.WORKER_ERROR, {}) for ticket in tickets)))
    first = tickets[0]
    asyncio.run(delete_before(settings, first.partition, first.offset + 1))
    done = run_command(env, "retry", "--since", "1h", "--json")
    assert done.returncode == 3
    said = json.loads(done.stdout)
    assert said["gone"] == [
        {
            "custom_id": first.custom_id,
            "run": None,
            "source": {
                "topic": first.topic,
                "partition": first.partition,
                "offset": first.offset,
                "timestamp": first.timestamp,
            },
        }
    ]
    assert (said["sent"], said["retriable"]) == (29, 30)


async def delete_before(settings: Settings, partition: int, offset: int) -> None:
    from aiokafka import TopicPartition  # noqa: PLC0415 - one test's alone
    from aiokafka.admin import RecordsToDelete  # noqa: PLC0415 - as above

    admin = await open_admin(settings)
    await admin.delete_records({TopicPartition(settings.request_topic, partition): RecordsToDelete(offset)})
    await admin.close()
