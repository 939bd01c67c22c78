"""The results table, as processes on a real Apache Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from cli_fakes import make_message, make_result
from command import end, make_environment, started

from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import ProofResult, Reason
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PATIENCE = 300.0
PARTITIONS = 3
HOSTILE = [
    "a/b//c",
    "../..",
    "..",
    ".",
    "a?b=c&d#e",
    "50%",
    "%2F%2e%2e",
    "a b+c",
    "<script>alert(1)</script>",
    "\"'`{}",
    "é∀\U0001d538\u202e",
    "\t\n",
    "/",
    "\U0001d538" * 512,
]


class Instance:
    """A process of the table, and its pages."""

    def __init__(self, process: Any) -> None:
        self.process = process
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http_listening .*port=(\d+)", line):
                self.url = f"http://127.0.0.1:{found[1]}"
                return
        raise AssertionError("".join(said))

    def get(self, path: str, *, accept: str = "*/*") -> tuple[int, Any]:
        asked = urllib.request.Request(self.url + path, headers={"Accept": accept})  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(asked, timeout=300) as answer:  # noqa: S310 - our own
                status, body = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read().decode()
        return status, body if "html" in accept else json.loads(body)

    def ask(self, path: str, *, accept: str = "*/*") -> tuple[int, Any]:
        """What it answers in the end: a machine under load may lose a session, and with it a partition for a while."""
        give_up = time.monotonic() + PATIENCE
        while (answer := self.get(path, accept=accept))[0] in {503, 504}:
            assert time.monotonic() < give_up, answer
            time.sleep(0.1)
        return answer

    def ready(self) -> Instance:
        wait_until(lambda: self.get("/ready")[0] == 200, lambda: self.get("/ready"))
        return self

    def row(self, custom_id: str) -> tuple[int, Any]:
        return self.ask(f"/results/{urllib.parse.quote(custom_id, safe='')}")

    def walk(self, **query: Any) -> list[dict[str, Any]]:
        """All pages, one after the other."""
        rows: list[dict[str, Any]] = []
        while True:
            status, page = self.ask(f"/results?{urllib.parse.urlencode(query)}")
            assert status == 200, page
            rows += page["results"]
            if page["after"] is None:
                return rows
            assert page["results"]
            query["after"] = page["after"]


def wait_until(true: Any, why: Any) -> None:
    give_up = time.monotonic() + PATIENCE
    while True:
        # An instance that has been killed or has not heard of a rebalance yet is no failure.
        with contextlib.suppress(OSError):
            if true():
                return
        assert time.monotonic() < give_up, why()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def env(kafka: str) -> dict[str, str]:
    made = make_environment(kafka, real=True)
    return made | {PREFIX + "SESSION_TIMEOUT_MS": "6000"}


@contextlib.contextmanager
def instance(env: dict[str, str]) -> Iterator[Instance]:
    with started(env, "table") as process:
        yield Instance(process)


def value_of(result: ProofResult) -> bytes:
    return encode_result(result, limit=1_000_000, overhead=1000).value


def send(env: dict[str, str], records: Iterable[ProofResult | str | tuple[bytes, bytes | None]]) -> None:
    """Produce results; a text is an id that gets a tombstone, a pair is a record as it is."""

    async def produce() -> None:
        async with AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"], acks="all") as producer:
            sent = []
            for record in records:
                if isinstance(record, tuple):
                    key, value = record
                elif isinstance(record, str):
                    key, value = record.encode(), None
                else:
                    key, value = record.custom_id.encode(), value_of(record)
                sent.append(await producer.send(env[PREFIX + "RESULT_TOPIC"], value, key=key))
            await asyncio.gather(*sent)

    asyncio.run(produce())


def test_newest_hostile_deleted_two_instances_and_a_kill(env: dict[str, str]) -> None:
    """One story, as each start takes seconds: what holds is asked of each instance, and after each change."""
    old, new = make_result("twice", Reason.LEAN_ERROR, offset=1), make_result("twice", offset=2)
    send(
        env,
        [
            new,
            old,
            make_result("tiers", assurance="audited"),
            make_result("tiers", assurance="checked"),
            make_result("verdict", Reason.LEAN_ERROR, messages=[make_message("unknown identifier")]),
            make_result("verdict", Reason.REPL_CRASH),
            *(make_result(custom_id, run="hostile") for custom_id in HOSTILE),
            *(
                make_result(f"many/{n:03}", Reason.TIMEOUT if n % 3 else Reason.OK, run=f"run{n % 2}", offset=n)
                for n in range(300)
            ),
            make_result("gone"),
            "gone",
            "never there",
            (b"nonsense", b"no JSON"),
            (b"empty", b""),
            (b"another key", value_of(make_result("whose key is another"))),
            (b"\xff", value_of(make_result("no text"))),
        ],
    )
    with instance(env) as one:
        one.ready()
        check(one)
        with instance(env) as two:
            two.ready()
            one.ready()
            held: list[int] = []

            def shared() -> bool:
                held[:] = [each.get("/ready")[1]["partitions"] for each in (one, two)]
                return sum(held) == PARTITIONS and all(held)

            wait_until(shared, lambda: held)
            for each in (one, two):
                check(each)
            # What comes now and what goes now is seen by both.
            send(env, [make_result("late"), "many/007"])
            for each in (one, two):
                wait_until(lambda each=each: each.row("late")[0] == 200, lambda: "late")
                wait_until(lambda each=each: each.row("many/007")[0] == 404, lambda: "many/007")
            send(env, [make_result("many/007", Reason.TIMEOUT, run="run1", offset=7)])
            end(two.process, signal.SIGKILL)
            # While nobody has its partitions, the answer is that, and never a part in the place of all.
            while (answer := one.get("/results?limit=1000"))[0] != 200:
                assert answer[0] in {503, 504}, answer
                assert set(answer[1]) == {"error"}
            one.ready()
        wait_until(lambda: one.row("many/007")[0] == 200, lambda: "many/007")
        check(one)
        end(one.process, signal.SIGKILL)
    with instance(env) as three:
        three.ready()
        check(three)
        assert three.row("late")[0] == 200
        end(three.process)
    assert three.process.returncode == 0


def check(one: Instance) -> None:
    """Hold what an instance says against what was sent."""
    assert (one.row("twice")[1]["reason"], one.row("twice")[1]["source_offset"]) == ("ok", 2)
    assert one.row("tiers")[1]["assurance"] == "audited"
    assert one.row("verdict")[1]["reason"] == "lean_error"
    status, whole = one.ask("/results/verdict?full=true")
    assert (status, whole["result"]["response"]["messages"][0]["data"]) == (200, "unknown identifier")
    assert whole["row"] == one.row("verdict")[1]
    for absent in ("gone", "never there", "nonsense", "another key", "whose key is another", "no text", "empty"):
        status, answer = one.row(absent)
        assert (status, set(answer)) == (404, {"error"}), absent
    for custom_id in HOSTILE:
        status, page = one.ask(f"/results?{urllib.parse.urlencode({'id': custom_id})}")
        assert (status, page["custom_id"]) == (200, custom_id)
        if custom_id not in {".", "..", "../.."}:
            assert one.row(custom_id) == (200, page)
        status, text = one.ask(f"/results?{urllib.parse.urlencode({'id': custom_id})}", accept="text/html")
        assert status == 200
        assert "<script" not in text
    assert [row["custom_id"] for row in one.walk(run="hostile", limit=3)] == sorted(HOSTILE)
    many = [row["custom_id"] for row in one.walk(prefix="many/", limit=70)]
    assert many == [f"many/{n:03}" for n in range(300)]
    some = one.walk(prefix="many/1", reason="timeout", run="run1", limit=7)
    assert [row["custom_id"] for row in some] == [f"many/{n}" for n in range(100, 200) if n % 3 and n % 2]
    assert one.walk(prefix="many/", after="many/297")[0]["custom_id"] == "many/298"
    assert one.walk(reason="no such reason") == []
    for wrong in ("limit=0", "limit=x", "prefix=a&prefix=b", "what=1", "reason=", f"after={'x' * 513}"):
        status, answer = one.ask(f"/results?{wrong}")
        assert (status, set(answer)) == (400, {"error"}), wrong


def test_a_second_of_the_same_name_takes_over(env: dict[str, str]) -> None:
    named = env | {PREFIX + "GROUP_INSTANCE_ID": "table-1"}
    with instance(env) as other, instance(named) as older:
        older.ready()
        other.ready()
        expected = len(other.walk(limit=1000))
        with instance(named) as newer:
            _, said = older.process.communicate(timeout=PATIENCE)
            # It listens at another address, of which the other one hears.
            for each in (newer, other):
                wait_until(lambda each=each: each.get("/results?limit=1")[0] == 200, lambda: other.get("/results"))
                assert len(each.walk(limit=1000)) == expected
            end(newer.process)
    assert (older.process.returncode, newer.process.returncode) == (6, 0)
    assert "error: " in said.splitlines()[-1]
