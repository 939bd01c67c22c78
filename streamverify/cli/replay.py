"""`streamverify replay`."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from streamverify.cli import replay_report
from streamverify.cli.checks import finite, not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.interrupted import cancel_command, say_how_far
from streamverify.cli.options import BOTH, with_settings
from streamverify.cli.output import one_line, plural, print_json, print_line, remark, say_who_answered
from streamverify.cli.progress import kept_showing, progress_bar
from streamverify.cli.source_options import SourceFlags, with_source
from streamverify.core.datasets.forecast import Forecast, in_words
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.replay.replay import Replay, ReplayPlan

EXAMPLES = """\
Examples
  streamverify replay proofs.parquet --output verdicts.parquet
  streamverify replay minif2f.jsonl --header 'import Mathlib' --limit 100
  streamverify replay samples.jsonl.gz --rate 50 --output load.parquet
  streamverify replay proofs.parquet --report report --slots 16
  streamverify replay proofs.parquet --compare-cache
  streamverify replay hf://Goedel-LM/Lean-workbook-proofs --output gw.parquet

A worker that reads the same topic must be running, on any machine.

The output has a row for each proof: the columns of the source unchanged,
and status, reason, summary, run_seconds and more beside them
(docs/replay.md). The file appears when all are answered. If the command ends
before, by Ctrl-C or even kill -9, the same command line goes on: the file
OUTPUT.replay records how far it came.

--in-flight N keeps N proofs unanswered (a closed loop). --rate N sends N
proofs a second, whatever is answered (an open loop), and latencies count from
the time at which each was due.

--report DIR adds a page and its figures (docs/reports.md). --compare-cache
replays the first 100 rows twice, once as they are and once with nothing
reused, and prints how long each took.

Exit code 0: all have their verdict, whatever it is. 2: no row was a request."""

_EVERY = 30.0
"""Seconds between two lines that say how far it is, where there is no terminal."""


@with_settings(*BOTH)
@with_source
def replay(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    given: SourceFlags,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=not_empty, help="Write the verdicts here: .parquet or .jsonl."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew: forget how far an earlier replay to this output came.")
    ] = False,
    in_flight: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, metavar="N", help="The most proofs without an answer at a time; default 2000."
        ),
    ] = None,
    rate: Annotated[float | None, typer.Option(metavar="N", callback=finite, help="Send N proofs a second.")] = None,
    report_dir: Annotated[
        str | None,  # not a Path, for which an empty text is the current folder
        typer.Option(
            "--report",
            metavar="DIR",
            callback=not_empty,
            help="Write report.html and report.json into this folder; without --output verdicts.jsonl, too.",
        ),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="For the report: REPLs that can run at once, in all workers together."),
    ] = None,
    compare_cache: Annotated[
        bool,
        typer.Option("--compare-cache", help="Replay the first 100 rows twice, cached and not, and print a table."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
) -> None:
    """Have a data set verified by running workers: measure it, and write the verdicts to a file."""
    from streamverify.replay.replay import MAX_IN_FLIGHT, ReplayPlan  # noqa: PLC0415 - keeps --help fast

    if rate is not None and rate <= 0:
        raise InputError(f"--rate must be above 0, not {rate:g}")
    if rate is not None and in_flight is not None:
        raise InputError("--rate and --in-flight exclude each other: --rate sends however many proofs are unanswered")
    folder = None if report_dir is None else Path(report_dir)
    if slots is not None and folder is None:
        raise InputError("--slots needs --report: it is a figure of the report")
    if folder is not None and output is None and not compare_cache:
        output = folder / replay_report.VERDICTS
    if restart and output is None and folder is None:
        raise InputError("--restart needs --output: without it nothing is kept that could begin anew")
    plan = ReplayPlan(
        source=given.source,
        options=given.options(),
        run=given.run,
        output=output,
        restart=restart,
        rate=rate,
        in_flight=in_flight or MAX_IN_FLIGHT,
    )
    if compare_cache:
        with replay_report.cache_comparison(plan, folder) as compared:
            so_far = None if folder is not None else "without --report nothing is kept"
            for one, place in zip(compared.plans, compared.folders, strict=True):
                with replay_report.made(place), _carried_out(one, settings, so_far) as done:
                    compared.add(done, slots)
        compared.show(as_json=as_json)
        return
    with replay_report.made(folder), _carried_out(plan, settings) as done:
        if folder is not None:
            replay_report.write_report(done, folder, slots)
        _summarize(done, as_json=as_json)
        if done.counts.done.total() and not done.counts.verdicts:
            raise InputError("no row was a request: does --proof-column name the right column?")


@contextmanager
def _carried_out(plan: ReplayPlan, settings: Settings, so_far: str | None = None) -> Iterator[Replay]:
    """Replay and write the output, and hand over what was done.

    Args:
        plan: What to do.
        settings: The broker and the topics.
        so_far: What Ctrl-C says instead of how far it came.
    """
    from streamverify.replay.replay import opened  # noqa: PLC0415 - keeps --help fast

    with opened(plan, settings) as one:
        for said in one.data.remarks:
            remark(said)
        if one.is_complete:
            remark(f"{plan.output} is complete: all was answered before; --restart begins anew")
        else:
            if one.counts.earlier:
                remark(f"going on: {plural(one.counts.earlier, 'verdict')} of an earlier process", label="resumed")
            with say_how_far(lambda: _so_far(one) if so_far is None else so_far):
                asyncio.run(_verify(one, settings))
                _write(one)
        yield one


async def _verify(one: Replay, settings: Settings) -> None:
    counted, forecast = one.counts, Forecast()
    last = time.monotonic()
    with _progress() as progress:
        task = progress.add_task("replaying", total=None, said="")

        def show() -> None:
            nonlocal last
            now, done, total = time.monotonic(), counted.done.total(), one.expected()
            forecast.add(now, done)
            of = f" of {total:,}" if total is not None else ""
            counts = "".join(f", {count:,} {status}" for status, count in sorted(counted.done.items(), reverse=True))
            said = f"{done:,}{of}{counts}; {forecast.rate:.1f}/s, {in_words(forecast.left(total))} left"
            progress.update(task, completed=done, total=total, said=said)
            # A replay of hours in a log says now and then that it goes on.
            if progress.disable and now - last >= _EVERY:
                last = now
                remark(said, label="replaying", style="cyan")

        async with kept_showing(show):
            await one.verify(settings, remark)


def _write(one: Replay) -> None:
    with _progress() as progress:
        task = progress.add_task("writing", total=one.counts.done.total(), said="")

        def told(count: int) -> None:
            if count % 1000 == 0:
                progress.update(task, completed=count, said=f"{count:,} rows")

        one.write(told)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TaskProgressColumn())
    return progress_bar(*columns, TextColumn("{task.fields[said]}"))


def _so_far(one: Replay) -> str:
    done = one.counts.done.total()
    if not done and not one.counts.sent:
        return ""
    waiting = f", {one.counts.unanswered:,} more are sent" if one.counts.unanswered else ""
    if one.state is None:
        return (
            f"{plural(done, 'verdict')} counted{waiting}; without --output nothing is kept: what is sent gets its "
            f"verdict, streamverify results --run {quote(one.run)}{cancel_command(one.run)}"
        )
    cancel = cancel_command(one.run) if one.counts.unanswered else ""
    return f"{plural(done, 'verdict')} kept{waiting}: the same command line goes on ({one.plan.state}){cancel}"


def _summarize(one: Replay, *, as_json: bool) -> None:
    counted, output = one.counts, one.plan.output
    verdicts, seconds = counted.verdicts, counted.seconds
    say_who_answered(counted.kinds)
    if as_json:
        print_json(
            {
                "run": one.run,
                "output": None if output is None else str(output),
                "rows": counted.done.total(),
                "verdicts": verdicts,
                "statuses": counted.statuses,
                "not_sent": counted.not_sent,
                "cached": counted.cached,
                "seconds": round(seconds, 3),
                "behind_seconds": round(one.pace.behind, 3),
            }
        )
        return
    shares = ", ".join(
        f"{count:,} {status} ({count / verdicts:.1%})"
        for status, count in sorted(counted.statuses.items(), reverse=True)
    )
    cached = f"; {counted.cached:,} from the cache" if counted.cached else ""
    rate = f" ({verdicts / seconds:.1f}/s)" if seconds else ""
    print_line(f"{plural(verdicts, 'verdict')} in {seconds:.1f} s{rate}{': ' * bool(shares)}{shares}{cached}")
    if one.data.renamed:
        remark(f"{plural(one.data.renamed, 'row')} had the id of an earlier one, and got ID~ROW in its place")
    if counted.not_sent:
        why = "" if output is None else "; their column `error` says why"
        first = f"; the first: {one_line(counted.first_error, 200)}" if counted.first_error else ""
        remark(f"{plural(counted.not_sent, 'row')} could not be sent{why}{first}")
    where = f"streamverify results --run {quote(one.run)}" if output is None else str(output)
    print_line(f"run {one.run}: {where}")
