"""How much memory a replay takes itself, and how fast it is: source, state and output are real, the workers are not.

    python -m benchmarks.replay_memory --rows 1000000 --output parquet

A Parquet file of that many rows is made, replayed over a wire in this process that answers each request at once with a
result as a worker writes it (encoded, and decoded again), and written beside its verdicts. Nothing but the broker and
Lean is left out. Prints the resident memory as it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from streamverify.client.requests import Ticket
from streamverify.core.datasets.verdict_row import unsent_row
from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import (
    Assurance,
    ProofResult,
    Reason,
    Response,
    Source,
    Status,
    Timings,
    Verifier,
)
from streamverify.datasets.dataset import SourceOptions
from streamverify.replay.replay import ReplayPlan, chunked, opened
from streamverify.replay.runner import Runner
from streamverify.replay.wire import OffsetRange
from streamverify.settings import load_settings
from streamverify.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from streamverify.client.requests import EncodedRequest

VERDICT = {
    "status": "verified", "reason": "ok", "assurance": "checked", "retriable": False, "run_seconds": 0.01,
    "summary": "Lean accepted the whole file, without error and without sorry.", "cached": False, "warm": True,
    "verifier_kind": "synthetic", "source_topic": "lean.proofs", "source_partition": 0, "source_offset": 1,
}  # fmt: skip
_BATCH = 10_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the result topic, as far as a replay looks at it."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    """The Kafka headers, named as aiokafka names them."""


class AnsweringWire:
    """Takes a request and has its result at once."""

    def __init__(self) -> None:
        self._answers: deque[Record] = deque()
        self._offset = 0
        self._come = asyncio.Event()

    async def range(self) -> OffsetRange:
        """An empty topic of one partition."""
        return OffsetRange({0: 0}, {0: 0})

    def read_from(self, positions: Mapping[int, int]) -> None:
        """There is nothing before."""

    async def read(self) -> list[Any]:
        """What was answered, as many as a fetch brings."""
        if not self._answers:
            self._come.clear()
            await self._come.wait()
        return [self._answers.popleft() for _ in range(min(_AT_ONCE, len(self._answers)))]

    async def send(self, encoded: EncodedRequest) -> Ticket:
        """Answer it."""
        source = Source(topic="lean.proofs", partition=0, offset=self._offset, timestamp=1_700_000_000_000)
        result = ProofResult(
            custom_id=encoded.custom_id,
            status=Status.VERIFIED,
            reason=Reason.OK,
            retriable=False,
            assurance=Assurance.CHECKED,
            summary="Lean accepted the whole file, without error and without sorry.",
            response=Response(time=0.01),
            timings=Timings(run=0.01, total=0.01),
            verifier=Verifier(kind="synthetic"),
            source=source,
            run=encoded.run,
        )
        value = encode_result(result, limit=1_000_000, overhead=0).value
        self._answers.append(Record(0, self._offset, encoded.custom_id.encode(), value, encoded.kafka_headers))
        self._offset += 1
        self._come.set()
        return Ticket(encoded.custom_id, encoded.request_id, "lean.proofs", 0, source.offset, source.timestamp)

    def took(self, key: bytes, seconds: float) -> None:
        """No partitions to choose."""

    async def sent_since(self, timestamp: int) -> AsyncIterator[Any]:
        """Nothing was sent before."""
        nothing: list[Any] = []
        for record in nothing:
            yield record


def make_source(path: Path, rows: int) -> None:
    """Write a Parquet file of that many different proofs, about 300 bytes each."""
    schema = pa.schema([("problem_id", pa.string()), ("level", pa.int8()), ("full_proof", pa.string())])
    with parquet.ParquetWriter(path, schema) as file:
        for begin in range(0, rows, _BATCH):
            numbers = range(begin, min(begin + _BATCH, rows))
            file.write_table(
                pa.table(
                    {
                        "problem_id": [f"p{n}" for n in numbers],
                        "level": pa.array([n % 5 for n in numbers], pa.int8()),
                        "full_proof": [
                            f"import Mathlib\n\ntheorem t{n} : {n} + 1 = {n + 1} := by\n  norm_num\n" + "-- x\n" * 40
                            for n in numbers
                        ],
                    },
                    schema=schema,
                )
            )


def resident() -> int:
    """The resident memory of this process, in MiB."""
    words = Path("/proc/self/statm").read_text("ascii").split()
    return int(words[1]) * resource.getpagesize() // 1024**2


async def replay(one: Any, every: float) -> None:
    """Send everything and collect it, and print the memory now and then."""
    runner = Runner(AnsweringWire(), one.pace, one.name, journal=one.state, counts=one.counts)

    async def tell() -> None:
        while True:
            await asyncio.sleep(every)
            print(f"  {one.counts.done.total():>10,} rows  {resident():>5} MiB", flush=True)

    telling = asyncio.create_task(tell())
    await runner.run(in_thread(chunked(one.data.attempts(), 256), 16))
    telling.cancel()


def tell_written(count: int) -> None:
    """Print the memory after each million rows."""
    if count % 1_000_000 == 0:
        print(f"  {count:>10,} written  {resident():>5} MiB", flush=True)


def straight(one: Any, every: float) -> None:
    """Put a verdict on each row straight into the state, and print the memory now and then."""
    told = time.monotonic()
    for chunk in chunked(one.data.attempts(), 2000):
        rows = [(each.number, unsent_row("", custom_id=each.custom_id) | VERDICT) for each in chunk]
        for _, row in rows:
            one.counts.add(row)
        one.counts.read += len(rows)
        one.state.commit(rows, {0: one.counts.read}, one.counts.facts())
        if time.monotonic() - told >= every:
            told = time.monotonic()
            print(f"  {one.counts.read:>10,} rows  {resident():>5} MiB", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", choices=["parquet", "jsonl"], default="parquet")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two lines")
    parser.add_argument("--straight", action="store_true", help="leave out sending and answering")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.parquet"
        make_source(source, given.rows)
        before = resident()
        print(f"{given.rows:,} rows, {source.stat().st_size / 1e6:,.0f} MB; before the replay {before} MiB", flush=True)
        plan = ReplayPlan(
            source=str(source), options=SourceOptions(), run="bench", output=Path(folder) / f"v.{given.output}"
        )
        begin = time.monotonic()
        with opened(plan, load_settings()) as one:
            if given.straight:
                straight(one, given.every)
            else:
                asyncio.run(replay(one, given.every))
            verified = time.monotonic()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            size = sum(each.stat().st_size for each in Path(folder).glob("v.*"))
            print(f"verified {one.counts.done.total():,} rows in {verified - begin:.0f} s; peak {peak} MiB", flush=True)
            one.write(tell_written)
        print(
            json.dumps(
                {
                    "rows": given.rows,
                    "before_mib": before,
                    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                    "rows_per_second": round(given.rows / (verified - begin)),
                    "written_per_second": round(given.rows / (time.monotonic() - verified)),
                    "state_mb": round(size / 1e6),
                }
            )
        )


if __name__ == "__main__":
    main()
