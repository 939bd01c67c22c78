"""`streamverify results`."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from streamverify.cli.errors import InputError
from streamverify.cli.interrupted import say_how_far
from streamverify.cli.options import RESULTS, with_settings
from streamverify.cli.output import STATUS_STYLES, flush, plural, print_line, print_result, remark, stdout
from streamverify.cli.selection_options import SelectionFlags, with_selection
from streamverify.cli.tables import Column, CsvTable, StreamedTable
from streamverify.cli.times import rfc_3339
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.client.result_topic import FoundResult
    from streamverify.core.messages.selection import ResultSelection

EXAMPLES = """\
Examples
  streamverify results --since 10m   (s, m, h, d, or 1h30m)
  streamverify results --run tuesday --status rejected --limit 20
  streamverify results --reason timeout --reason out_of_memory --csv
  streamverify results -f            new results as they come, until Ctrl-C
  streamverify results -f --all      all results, and then new ones
  streamverify results --json | jq -c 'select(.timings.run > 10)'

Every result on the topic is shown, repeats included, each as it is read: any
number of them. Within a partition they come in their order. A compacted topic
keeps the newest result of a custom_id."""

_COLUMNS = (
    Column("id", 32),
    Column("status", 12),
    Column("reason", 18),
    Column("seconds", 8, right=True),
    Column("message", 0),
)
_CSV = (
    "custom_id", "run", "status", "reason", "retriable", "assurance", "summary", "queued", "import",
    "run_seconds", "audit", "total", "attempts", "worker", "verifier", "lean_version", "proof_sha256",
    "topic", "partition", "offset", "sent_at", "answered_at",
)  # fmt: skip


class Sink(Protocol):
    """One of the forms in which results are printed."""

    def add(self, found: FoundResult) -> None:
        """Print one result."""


@with_settings(*RESULTS)
@with_selection
def results(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    given: SelectionFlags,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after N results.")] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Show new results as they come, or those since --since, until Ctrl-C."),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="With --follow: begin with the oldest result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result as a line of JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the results as CSV.")] = False,
) -> None:
    """Show the verdicts on the result topic. Joins no consumer group, so no other reader misses a record."""
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other")
    if everything and given.since is not None:
        raise InputError("--all and --since exclude each other")
    if follow and given.until is not None:
        raise InputError("--until and --follow exclude each other: --follow does not end")
    wanted = given.selection()
    sink: Sink = _JsonLines() if as_json else _Csv() if as_csv else _Lines() if follow else _Table()
    reading = ResultPrinter(sink, limit)
    with say_how_far(reading.so_far, "no result was shown"):
        asyncio.run(
            reading.run(settings, wanted, follow=follow, from_now=follow and given.since is None and not everything)
        )
    if not as_json and not as_csv and not follow:
        reading.summarize(settings.result_topic)


class ResultPrinter:
    """Prints what is read, and counts it. It keeps no result."""

    def __init__(self, sink: Sink, limit: int | None = None) -> None:
        self._sink = sink
        self._limit = limit
        self._statuses: Counter[str] = Counter()
        self._newest = 0
        self._seconds = 0.0
        self._longest = 0.0
        self._cached = 0

    async def run(self, settings: Settings, wanted: ResultSelection, *, follow: bool, from_now: bool) -> None:
        """Read to the end, or until there are enough."""
        from streamverify.client.result_topic import read_results  # noqa: PLC0415 - keeps --help fast

        async with aclosing(read_results(settings, wanted, follow=follow, from_now=from_now)) as read:
            async for found in read:
                self._sink.add(found)
                self._statuses[str(found.result.status)] += 1
                self._newest = max(self._newest, found.timestamp)
                self._cached += found.result.cached is not None
                self._seconds += found.result.timings.run
                self._longest = max(self._longest, found.result.timings.run)
                if follow:
                    # Into a pipe Python would write only when it has some kilobytes, which may take hours.
                    flush()
                if self._statuses.total() == self._limit:
                    return

    def so_far(self) -> str:
        """Say how far it came, and how to go on."""
        count = self._statuses.total()
        if not count:
            return ""
        return f"{plural(count, 'result')} shown; go on with --since {rfc_3339(self._newest)}"

    def summarize(self, topic: str) -> None:
        """Print how many there are of each status, and how long Lean ran."""
        count = self._statuses.total()
        if not count:
            remark(f"no such results on {topic}")
            return
        named = ", ".join(
            f"{number:,} {status} ({number / count:.1%})"
            for status, number in sorted(self._statuses.items(), reverse=True)
        )
        print_line(f"{plural(count, 'result')}: {named}")
        # Those that were answered without Lean would make the others look faster than they were.
        ran = count - self._cached
        each = "each that it ran" if self._cached else "each"
        if ran:
            print_line(f"Lean ran {self._seconds / ran:.3f} s for {each} on average, and {self._longest:.3f} s at most")
        if self._cached:
            print_line(f"{self._cached:,} of them cached")


class _JsonLines:
    def add(self, found: FoundResult) -> None:
        print_result(found.result)


class _Csv:
    def __init__(self) -> None:
        self._table = CsvTable(_CSV)

    def add(self, found: FoundResult) -> None:
        result, timings, source = found.result, found.result.timings, found.result.source
        self._table.add(
            result.custom_id,
            result.run,
            result.status,
            result.reason,
            result.retriable,
            result.assurance,
            result.summary,
            timings.queued,
            timings.import_,
            timings.run,
            timings.audit,
            timings.total,
            result.attempts,
            result.worker,
            result.verifier.kind,
            result.verifier.lean_version,
            result.proof_sha256,
            source.topic,
            source.partition,
            source.offset,
            rfc_3339(source.timestamp),
            rfc_3339(found.timestamp),
        )


class _Table:
    def __init__(self) -> None:
        self._table = StreamedTable(_COLUMNS)

    def add(self, found: FoundResult) -> None:
        from streamverify.cli.render import first_message  # noqa: PLC0415 - keeps --help fast

        result = found.result
        self._table.add(
            result.custom_id,
            str(result.status),
            str(result.reason),
            f"{result.timings.run:.3f}",
            first_message(result),
            styles=["", STATUS_STYLES.get(str(result.status), "")],
        )


class _Lines:
    """One line for each: what comes slowly needs no columns."""

    def __init__(self) -> None:
        self._console = stdout()

    def add(self, found: FoundResult) -> None:
        from streamverify.cli.render import first_message, headline  # noqa: PLC0415 - keeps --help fast

        line = headline(found.result).append(f"  {first_message(found.result)}", "not bold default")
        self._console.print(line, soft_wrap=True)
