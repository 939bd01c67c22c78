"""A replay from its source to its output: begin or go on, send what is unsent, and write the file."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.columns import printable
from streamverify.core.datasets.pace import Pace
from streamverify.core.datasets.resume import differences
from streamverify.core.datasets.verdict_row import canonical_header
from streamverify.core.errors import OutputRefused, ReplayRefused
from streamverify.datasets.dataset import DataSet, SourceOptions
from streamverify.datasets.writers import check_output, shape_of, writing
from streamverify.replay.counts import ReplayCounts
from streamverify.replay.runner import Runner
from streamverify.replay.state import ReplayState
from streamverify.replay.wire import KafkaWire
from streamverify.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamverify.core.datasets.attempts import Attempt
    from streamverify.settings import Settings

STDIN = "-"
MAX_IN_FLIGHT = 2000
_CHUNK = 256
"""Attempts that the thread which reads hands over at once."""
_AHEAD = 16
"""Such chunks that it is ahead of the sending at most."""


@dataclass(frozen=True, kw_only=True)
class ReplayPlan:
    """The source, options and output of a replay."""

    source: str
    options: SourceOptions
    run: str | None = None
    output: Path | None = None
    restart: bool = False
    rate: float | None = None
    in_flight: int = MAX_IN_FLIGHT

    @property
    def state(self) -> Path:
        """The file of its state, beside the output."""
        output = self.output or Path()
        return output.with_name(f"{output.name}.replay")

    @property
    def spool(self) -> Path:
        """The file in which standard input is kept: it is read twice, and again by who goes on."""
        return self.state.with_name(f"{self.state.name}.stdin")


@dataclass
class Replay:
    """A replay that has its source, and its state where it has an output.

    begun --- verify(): every attempt is answered ---> answered --- write() ---> complete: only the file is left
      ^ |
      +-+ ended by a signal, an error or a kill: the next process goes on with the state
    """

    plan: ReplayPlan
    name: str
    """Its request ids begin with this name."""
    run: str
    data: DataSet
    state: ReplayState | None
    counts: ReplayCounts
    is_complete: bool = False
    """True where its output is there already."""
    pace: Pace = field(init=False)
    found: int = 0
    """Attempts that were read so far; the reader is ahead of the sending."""
    rows: int = 0
    """Rows that these are of: a row with a list of proofs is as many attempts."""
    found_all: bool = False

    def __post_init__(self) -> None:
        """Take the plan's pace."""
        self.pace = Pace(rate=self.plan.rate, in_flight=self.plan.in_flight)

    async def verify(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Send what is unsent and wait for all answers.

        Args:
            settings: The broker and the topics.
            say: Tells a person what is worth knowing.

        Raises:
            BrokerUnavailable: No broker, no topic, or it did not take a request.
            SourceError: The rest of the source cannot be read.
            ReplayRefused: The state cannot be written.
        """
        if self.state is not None and self.state.facts.get("attempts") == self.counts.done.total():
            return  # ended while it wrote the output, which needs no broker
        # Of a pipe that is not kept each is sent as it comes: the next may be long in coming.
        chunks = chunked(self._counted(), 1 if self.plan.source == STDIN and self.state is None else _CHUNK)
        async with KafkaWire(settings) as wire:
            runner = Runner(wire, self.pace, self.name, journal=self.state, counts=self.counts, say=say)
            await runner.run(in_thread(chunks, _AHEAD))
        if self.state is not None:
            self.state.note({"attempts": self.counts.read})

    def _counted(self) -> Iterator[Attempt]:
        row = -1
        for attempt in self.data.attempts():
            self.found += 1
            self.rows += attempt.row != row
            row = attempt.row
            yield attempt
        self.found_all = True

    def expected(self) -> int | None:
        """Return how many attempts there are, or about how many; None where that is not known."""
        if self.found_all:
            return self.found
        options = self.plan.options
        # By the share that was read: of the rows that are wanted, or of the source.
        shares = [self.rows / (options.limit * options.repeat)] if options.limit is not None else []
        if self.data.total is not None:
            shares.append(self.rows / self.data.total if self.data.total else 0.0)
        elif options.repeat == 1 and not options.shuffle:
            shares.append(self.data.progress() or 0.0)
        # The largest: what ends first ends the replay.
        share = max(shares, default=0.0)
        return round(self.found / share) if share else None

    def write(self, told: Callable[[int], None]) -> None:
        """Write the output: one row for each attempt, in the order of the source as it was replayed.

        Args:
            told: Is told after each row how many there are.

        Raises:
            OutputRefused: It cannot be written.
            SourceError: The source is not what it was.
        """
        if self.state is None or self.plan.output is None:
            return
        schema, shape = self.data.schema, None
        if schema is None:
            shape = shape_of(self.plan.output, (each.values for each in self.data.attempts()))
        rows = self.state.rows()
        with writing(self.plan.output, schema=schema, shape=shape) as writer:
            for count, attempt in enumerate(self.data.attempts(), 1):
                number, row = next(rows, (-1, {}))
                if number != attempt.number or row["custom_id"] not in {None, attempt.custom_id}:
                    raise ReplayRefused(
                        f"{attempt.where}: the source is no longer what was replayed; --restart begins anew"
                    )
                writer.write(attempt.values, _whole(row, attempt, self.run))
                told(count)
            # Rows that are left have no attempt: the file would lack verdicts that were paid for.
            if next(rows, None) is not None:
                raise ReplayRefused("the source has fewer rows than were replayed; --restart begins anew")
        self.state.finished({"complete": True})


def _whole(row: dict[str, Any], attempt: Attempt, run: str) -> dict[str, Any]:
    """Add to a verdict what its source knows of it."""
    return {
        **row,
        "custom_id": attempt.custom_id,
        "run": run,
        "group": attempt.group,
        "header": None if attempt.request is None else canonical_header(attempt.request.proof),
    }


@contextmanager
def opened(plan: ReplayPlan, settings: Settings) -> Iterator[Replay]:
    """Open the source, and the state where there is an output: a new one, or that of a replay which was ended.

    Raises:
        SourceError: The source cannot be read.
        OutputRefused: The output cannot be written.
        ReplayRefused: Its state is that of another replay, or in use; or the output is there and no replay's.
    """
    if plan.output is None:
        run = plan.run or _new_run()
        data = DataSet.open(plan.source, _options(plan, run))
        yield Replay(plan, secrets.token_hex(8), run, data, None, ReplayCounts())
        return
    check_output(plan.output)
    with suppress(OSError):
        if plan.output.samefile(plan.source):
            raise ReplayRefused(f"--output {printable(str(plan.output))} is the source itself")
    state = ReplayState(plan.state)
    try:
        yield _take_up(plan, plan.output, state, settings)
    finally:
        # Where nothing was sent there is nothing to go on with.
        unused, complete = not state.positions(), state.facts.get("complete")
        state.close()
        if unused:
            plan.state.unlink(missing_ok=True)
        if unused or complete:
            plan.spool.unlink(missing_ok=True)


def _take_up(plan: ReplayPlan, output: Path, state: ReplayState, settings: Settings) -> Replay:
    """Begin anew, or go on with what the state has."""
    facts = state.facts
    if plan.restart or (facts.get("complete") and not output.exists()):
        state.begin_anew()
        facts = {}
    elif output.exists() and not facts:
        raise ReplayRefused(
            f"{printable(str(output))} is there, and no replay is known that it is from: --restart replaces it, or "
            "name another --output"
        )
    run = plan.run or facts.get("run") or _new_run()
    given = {"request_topic": settings.request_topic, "result_topic": settings.result_topic, "run": run}
    if plan.source == STDIN:
        given["stdin"] = _spool(plan, facts.get("of", {}).get("stdin"))
    data = DataSet.open(plan.source, _options(plan, run), plan.spool)
    given |= data.identity
    if not facts:
        facts = {"replay": secrets.token_hex(8), "run": run, "of": given, "begun": int(time.time() * 1000)}
        state.note(facts)
    elif different := differences(facts["of"], given):
        raise _another(plan, "; ".join(different))
    return Replay(
        plan, facts["replay"], run, data, state, ReplayCounts.of(facts), is_complete=bool(facts.get("complete"))
    )


def _another(plan: ReplayPlan, how: str) -> ReplayRefused:
    return ReplayRefused(
        f"{printable(str(plan.state))} is the state of another replay ({how}): take its source and options again, "
        "begin anew with --restart, or name another --output"
    )


def _spool(plan: ReplayPlan, expected: str | None) -> str:
    """Copy standard input to a file. Returns the SHA-256 of what was in it."""
    copy = plan.spool.with_name(f"{plan.spool.name}.unfinished")
    digest = hashlib.sha256()
    try:
        with copy.open("wb") as file:
            while piece := sys.stdin.buffer.read(1024 * 1024):
                digest.update(piece)
                file.write(piece)
        # What is there may be all that is left of what was replayed: only the same replaces it.
        if expected not in {None, digest.hexdigest()}:
            raise _another(plan, "other data on standard input")
        copy.replace(plan.spool)
    except OSError as error:
        raise OutputRefused(f"{printable(str(copy))} cannot be written: {error.strerror}") from error
    finally:
        copy.unlink(missing_ok=True)
    return digest.hexdigest()


def _options(plan: ReplayPlan, run: str) -> SourceOptions:
    """The options for a data set: with the run in each request, and with its columns only where they are kept."""
    request = {**plan.options.request, "run": run}
    return replace(plan.options, request=request, keep_columns=plan.output is not None)


def _new_run() -> str:
    """A name for a run that has none, by which its results are found on the topic."""
    return f"replay-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def chunked(attempts: Iterator[Attempt], size: int) -> Iterator[list[Attempt]]:
    """Hand out the attempts in lists of so many."""
    while chunk := list(itertools.islice(attempts, size)):
        yield chunk
