"""A Kafka in memory for the runner of a replay, which outlives the runner, and a runner that can be killed."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from cli_fakes import make_result

from streamverify.client.requests import REQUEST_ID, Ticket
from streamverify.core.datasets.attempts import Attempt
from streamverify.core.errors import RequestTooLarge
from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import ProofRequest, Source
from streamverify.replay.wire import OffsetRange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from streamverify.client.requests import EncodedRequest

PARTITIONS = 3
TOO_LARGE = "too large"


class Killed(BaseException):
    """The process is gone: nothing after this is done."""


@dataclass
class Fate:
    """Kills the process at its n-th step; None never does."""

    left: int | None = None
    dead: bool = False

    def step(self) -> None:
        if self.dead:
            raise Killed
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise Killed


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Topic:
    name: str
    partitions: list[list[Record]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    first: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    """The offset of the first record that is kept."""

    def append(self, partition: int, timestamp: int, key: bytes, value: bytes, headers: Any) -> Record:
        log = self.partitions[partition]
        offset = self.first[partition] + len(log)
        record = Record(self.name, partition, offset, timestamp, key, value, tuple(headers))
        log.append(record)
        return record

    def from_offset(self, partition: int, offset: int) -> list[Record]:
        return [record for record in self.partitions[partition] if record.offset >= offset]

    def ends(self) -> dict[int, int]:
        return {number: self.first[number] + len(log) for number, log in enumerate(self.partitions)}

    def empty(self, *, anew: bool) -> None:
        """Retention deletes all; or the topic is made anew, and begins with offset 0 again."""
        for number, log in enumerate(self.partitions):
            self.first[number] = 0 if anew else self.first[number] + len(log)
            log.clear()


class Broker:
    """Two topics and a worker, which answers in any order. They go on whatever becomes of the processes."""

    def __init__(self, seed: int, *, bare: float = 0.0, repeats: float = 0.0) -> None:
        """`bare`: the share of results without Kafka headers; `repeats`: of those that come twice."""
        self.requests, self.results = Topic("lean.proofs"), Topic("lean.results")
        self.sent: list[str] = []
        """The request ids in the order in which they came."""
        self._random = random.Random(seed)  # noqa: S311 - the worker's whims
        self._bare, self._repeats = bare, repeats
        self._waiting: list[Record] = []
        self.quick = False
        """Whether all that waits is answered at once."""

    def _now(self) -> int:
        # A replay looks its requests up by the time at which they were sent.
        return int(time.time() * 1000)

    def send(self, name: str, custom_id: str, value: bytes, headers: Any) -> Record:
        partition = self._random.randrange(PARTITIONS)
        record = self.requests.append(partition, self._now(), custom_id.encode(), value, headers)
        self.sent.append(name)
        self._waiting.append(record)
        return record

    def work(self) -> None:
        """Answer some of what waits."""
        self._random.shuffle(self._waiting)
        count = len(self._waiting) if self.quick else self._random.randrange(4)
        for _ in range(min(len(self._waiting), count)):
            request = self._waiting.pop()
            custom_id = orjson.loads(request.value or b"")["custom_id"]
            source = Source(
                topic=request.topic, partition=request.partition, offset=request.offset, timestamp=request.timestamp
            )
            result = make_result(custom_id).model_copy(update={"source": source})
            value = encode_result(result, limit=1_000_000, overhead=0).value
            headers = () if self._random.random() < self._bare else request.headers
            for _ in range(1 + (self._random.random() < self._repeats)):
                partition = self._random.randrange(PARTITIONS)
                self.results.append(partition, self._now(), custom_id.encode(), value, headers)


class FakeWire:
    """The wire of one process to that broker."""

    def __init__(self, broker: Broker, fate: Fate) -> None:
        self._broker, self._fate = broker, fate
        self._positions: dict[int, int] = {}
        self.unanswered_at_most = 0

    async def range(self) -> OffsetRange:
        self._fate.step()
        return OffsetRange(dict(enumerate(self._broker.results.first)), self._broker.results.ends())

    def read_from(self, positions: Mapping[int, int]) -> None:
        self._positions = dict(positions)

    async def read(self) -> list[Any]:
        await asyncio.sleep(0)
        self._fate.step()
        self._broker.work()
        found = []
        for partition, position in self._positions.items():
            found += self._broker.results.from_offset(partition, position)
            self._positions[partition] = self._broker.results.ends()[partition]
        return found

    async def send(self, encoded: EncodedRequest) -> Ticket:
        self._fate.step()
        if encoded.custom_id.startswith(TOO_LARGE):
            raise RequestTooLarge("too large", custom_id=encoded.custom_id)
        record = self._broker.send(encoded.request_id, encoded.custom_id, encoded.value, encoded.kafka_headers)
        # The broker has it, and the process may not hear of that.
        self._fate.step()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return Ticket(
            encoded.custom_id, encoded.request_id, record.topic, record.partition, record.offset, record.timestamp
        )

    def took(self, key: bytes, seconds: float) -> None:
        pass

    async def sent_since(self, timestamp: int) -> AsyncIterator[Any]:
        for partition in range(PARTITIONS):
            for record in self._broker.requests.from_offset(partition, 0):
                self._fate.step()
                if record.timestamp >= timestamp and any(name == REQUEST_ID for name, _ in record.headers):
                    yield record


class MemoryJournal:
    """What the state file keeps; a commit is whole or not at all."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.stored: dict[int, int] = {}
        self.fate = Fate()

    def positions(self) -> dict[int, int]:
        return dict(self.stored)

    def answered(self, numbers: Collection[int]) -> set[int]:
        return {number for number in numbers if number in self.rows}

    def last(self) -> int:
        return max(self.rows, default=-1)

    def commit(
        self, rows: Collection[tuple[int, Mapping[str, Any]]], positions: Mapping[int, int], facts: Mapping[str, Any]
    ) -> None:
        self.fate.step()
        for number, row in rows:
            self.rows.setdefault(number, dict(row))
        self.stored |= positions
        self.facts |= facts
        self.fate.step()


def attempt(number: int, kind: str = "good") -> Attempt:
    """An attempt that is `good`, `unusable` or `too large`."""
    custom_id = f"{TOO_LARGE} {number}" if kind == TOO_LARGE else f"p{number}"
    if kind == "unusable":
        return Attempt(number, custom_id, {}, number, f"row {number}", error="it has no proof")
    request = ProofRequest(custom_id=custom_id, proof="theorem t : True := trivial")
    return Attempt(number, custom_id, {}, number, f"row {number}", request=request)


async def chunks(attempts: Sequence[Attempt], size: int) -> AsyncIterator[list[Attempt]]:
    for begin in range(0, len(attempts), size):
        await asyncio.sleep(0)
        yield list(attempts[begin : begin + size])
