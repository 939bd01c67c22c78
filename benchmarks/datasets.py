"""How fast data sets are read, and in how much memory: a generated one, from the first row to the last attempt.

Rows have an id, a proof of 270 characters that differs from all others, and a score. Seconds are of the CPU: other work
on the machine does not count. Each format is read in a process of its own.

    python -m benchmarks.datasets [--rows 10000000] [--forms jsonl parquet] [--shuffle] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from streamverify.datasets.dataset import DataSet, SourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUP = 1_000_000
"""Rows of a row group of Parquet: one does not fit into the memory that is measured."""
_MB = 1024 * 1024


class Figures(NamedTuple):
    """What one reading took."""

    form: str
    attempts: int
    cpu_seconds: float
    wall_seconds: float
    rss_tenth_mb: int
    rss_end_mb: int
    peak_mb: int


def generate(rows: int) -> Iterator[dict[str, Any]]:
    """Make rows as those of Lean-workbook-proofs are."""
    draw = random.Random(1)  # noqa: S311 - no secret
    for number in range(rows):
        proof = (
            "import Mathlib\nimport Aesop\nset_option maxHeartbeats 400000\n"
            f"theorem t{number} (x : Nat) : x + 0 = x := by\n  -- {draw.getrandbits(400):x}\n  simp\n"
        )
        yield {"problem_id": f"lean_workbook_{number}", "full_proof": proof, "score": number % 997 / 997}


def write(file: Path, rows: int) -> None:
    """Write a set in the format that its name says."""
    if file.suffix == ".parquet":
        schema = pa.schema({"problem_id": pa.string(), "full_proof": pa.string(), "score": pa.float64()})
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            group: list[dict[str, Any]] = []
            for row in generate(rows):
                group.append(row)
                if len(group) == _GROUP:
                    writer.write_table(pa.Table.from_pylist(group, schema), _GROUP)
                    group.clear()
            writer.write_table(pa.Table.from_pylist(group, schema), _GROUP)
    elif file.suffix == ".csv":
        with file.open("w", newline="") as text:
            table = csv.DictWriter(text, ["problem_id", "full_proof", "score"])
            table.writeheader()
            table.writerows(generate(rows))
    else:
        between, begin, end = (b",\n", b"[", b"]") if file.suffix == ".json" else (b"\n", b"", b"\n")
        with file.open("wb") as stream:
            stream.write(begin)
            for number, row in enumerate(generate(rows)):
                stream.write((between if number else b"") + orjson.dumps(row))
            stream.write(end)


def read(file: str, rows: int, options: dict[str, Any]) -> Figures:
    """Read a set to its end."""
    wall, cpu = time.monotonic(), time.process_time()
    attempts = tenth = 0
    for attempt in DataSet.open(file, SourceOptions(**options)).attempts():
        attempts += attempt.request is not None
        if attempts == rows // 10:
            tenth = _resident()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = time.process_time() - cpu, time.monotonic() - wall
    form = Path(file).suffix[1:] + (", shuffled" if options else "")
    return Figures(form, attempts, *seconds, tenth // _MB, _resident() // _MB, peak // _MB)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def main() -> None:
    """Write the sets, read each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--forms", nargs="+", default=["jsonl", "parquet"], choices=["jsonl", "parquet", "json", "csv"])
    parser.add_argument("--shuffle", action="store_true", help="read each once more, shuffled")
    parser.add_argument("--folder", type=Path, help="where the sets are written, and left")
    given = parser.parse_args()
    table = Table(*(name.replace("_", " ") for name in Figures._fields), "attempts per CPU second")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        for form in given.forms:
            file = folder / f"rows-{given.rows}.{form}"
            if not file.exists():
                write(file, given.rows)
            for options in [{}, {"shuffle": True}] if given.shuffle else [{}]:
                with multiprocessing.get_context("spawn").Pool(1) as process:
                    figures = process.apply(read, (str(file), given.rows, options))
                shown = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in figures]
                table.add_row(*shown, f"{figures.attempts / figures.cpu_seconds:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
