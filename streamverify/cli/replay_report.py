"""Makes a report of the verdicts of `streamverify replay`, and the table of cached and non-cached verification."""

from __future__ import annotations

import platform
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.cli.errors import InputError
from streamverify.cli.output import print_json, print_line, remark, say_who_answered, short
from streamverify.cli.times import now, rfc_3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.core.reports.cache_modes import ModeRow
    from streamverify.core.reports.report_model import Machine, Run
    from streamverify.replay.replay import Replay, ReplayPlan

VERDICTS = "verdicts.jsonl"
"""The file of verdicts in the folder of a report, where no --output says where they go."""
SEED_LIMIT = 100
SEED_TIMEOUT = 60.0
"""The rows and the time-out of kimina-lean-server's table, which --compare-cache has by default."""

_MODES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Cached", "cached", {}),
    ("Non-Cached", "non-cached", {"disable_cache": True}),
)
"""In their order: the name of the mode, that of its folder, and what it adds to each request."""


@contextmanager
def made(folder: Path | None) -> Iterator[None]:
    """Make the folder of a report, if there is to be one, and remove it again where nothing was put into it.

    Raises:
        InputError: It cannot be made.
    """
    new: list[Path] = []
    if folder is not None:
        try:
            new = [each for each in (folder, *folder.parents) if not each.exists()]
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--report {short(str(folder))}: {error.strerror}") from None
    try:
        yield
    finally:
        # A folder that has something in it cannot be removed: only those go that are empty, the innermost first.
        with suppress(OSError):
            for each in new:
                each.rmdir()


def write_report(one: Replay, folder: Path, slots: int | None) -> None:
    """Make the report of a replay whose verdicts are written, and say where it is."""
    from streamverify.reports.making import make_report  # noqa: PLC0415 - keeps --help fast

    if one.plan.output is None:
        raise AssertionError("a report is made of a file of verdicts")
    written = make_report(one.plan.output, folder, run=_run(one), machine=_machine(), slots=slots, title=one.data.name)
    remark(f"written: {written.page} and {written.json}", label="report")


class CacheComparison:
    """The same rows replayed once as they come and once with nothing reused, one after the other.

    `plans` are to be carried out in their order, each in its one of `folders`, and to be added once they are. By
    default they have the rows and the time-out of kimina-lean-server's table: the first `SEED_LIMIT` rows, and
    `SEED_TIMEOUT`.
    """

    def __init__(self, plan: ReplayPlan, folder: Path, *, kept: bool) -> None:
        options = replace(
            plan.options,
            limit=plan.options.limit or SEED_LIMIT,
            request={"timeout": SEED_TIMEOUT, **plan.options.request},
        )
        self._rows: list[ModeRow] = []
        self._kinds: set[str] = set()
        self.folders = [folder / place for _, place, _ in _MODES]
        self._kept = kept
        self.plans = [
            replace(
                plan,
                options=replace(options, request={**options.request, **request}),
                output=folder / place / VERDICTS,
                run=None if plan.run is None else f"{plan.run}-{place}",
            )
            for _, place, request in _MODES
        ]

    def add(self, one: Replay, slots: int | None) -> None:
        """Count the verdicts of a plan that was carried out, and make its report where it is kept."""
        from streamverify.core.reports.cache_modes import Mode  # noqa: PLC0415 - keeps --help fast
        from streamverify.reports.verdict_files import read_verdicts  # noqa: PLC0415

        if one.plan.output is None:
            raise AssertionError("each mode has a file of verdicts")
        mode = Mode(_MODES[len(self._rows)][0])
        for verdict in read_verdicts(one.plan.output):
            mode.add(verdict)
        self._rows.append(mode.row())
        self._kinds |= one.counts.kinds
        if self._kept:
            write_report(one, one.plan.output.parent, slots)

    def show(self, *, as_json: bool) -> None:
        """Print the table, or the same as JSON."""
        from streamverify.core.reports.cache_modes import table_lines  # noqa: PLC0415 - keeps --help fast

        say_who_answered(self._kinds)
        if as_json:
            print_json({"modes": [row._asdict() for row in self._rows]})
        else:
            for line in table_lines(self._rows):
                print_line(line)
        for row in self._rows:
            if row.cached or row.inconclusive:
                remark(
                    f"{row.mode}: {row.measured:,} of {row.rows:,} rows are in the times; not {row.cached:,} answers "
                    f"of the result cache, nor {row.inconclusive:,} inconclusive or unsent rows"
                )


@contextmanager
def cache_comparison(plan: ReplayPlan, folder: Path | None) -> Iterator[CacheComparison]:
    """Prepare the two replays.

    Args:
        plan: What to replay.
        folder: Where the verdicts of both modes, and their reports, are kept; None: nowhere.

    Raises:
        InputError: The plan cannot be carried out twice.
    """
    if plan.output is not None:
        raise InputError(
            "--compare-cache has two outputs, so it takes no --output: --report DIR keeps both, with their reports"
        )
    if plan.options.request.get("disable_cache"):
        raise InputError("--compare-cache takes no --disable-cache: its second mode disables the cache itself")
    if plan.source == "-":
        raise InputError("--compare-cache reads the rows twice, and standard input only once: name a file")
    if folder is not None:
        yield CacheComparison(plan, folder, kept=True)
        return
    with tempfile.TemporaryDirectory(prefix="streamverify-compare-") as name:
        yield CacheComparison(plan, Path(name), kept=False)


def _run(one: Replay) -> Run:
    """Say what was done, for who wants to do it again. Nothing that is secret, and no name of a host."""
    from streamverify.core.reports.report_model import Run  # noqa: PLC0415 - keeps --help fast

    plan, facts = one.plan, {} if one.state is None else one.state.facts
    given: dict[str, Any] = {"run": one.run}
    for each in fields(plan.options):
        value = getattr(plan.options, each.name)
        if each.name not in {"request", "keep_columns"} and value != each.default:
            given[each.name.replace("_", "-")] = value
    given |= dict(plan.options.request)
    given |= {"in-flight": plan.in_flight} if plan.rate is None else {"rate": plan.rate}
    begun = facts.get("begun")
    return Run(
        # Not as it was typed: a page to show does not tell in which folders somebody keeps things.
        source=one.data.name,
        started_at=None if begun is None else rfc_3339(begun),
        finished_at=rfc_3339(now()),
        elapsed_seconds=one.counts.seconds or None,
        settings={name: str(value) for name, value in given.items()},
    )


def _machine() -> Machine:
    from streamverify.core.reports.report_model import Machine  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.repl import resources  # noqa: PLC0415

    processor = None
    # Python's own `platform` knows the processor's architecture on Linux, not its name.
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        named = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == "model name")
        processor = next(named, None)
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=processor or platform.processor() or None,
        cores=resources.available_cores(),
        memory_bytes=resources.memory_bytes(),
        python=platform.python_version(),
    )
