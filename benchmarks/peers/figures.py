"""From the answers of a system to its row of the table. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.peers.cases import Answer, Judgement, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.peers.cases import Case

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Said:
    """A system's answer to one proof."""

    id: str
    answer: Answer
    seconds: float
    """From handing it over to having the answer, with as many on their way as the run allows."""
    detail: str = ""
    """The system's own words for it."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a system did with the file."""

    system: str
    elapsed: float
    """Seconds from handing over the first timed proof to the last answer to one."""
    said: Sequence[Said]
    pss: int = 0
    """Bytes: the largest sum over all its processes, shared pages divided among them."""
    rss: int = 0
    broker: int = 0
    """Bytes (PSS) of the broker beside it, where it has one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    system: str
    rate: float
    """Timed proofs per second."""
    useful: float
    """Lean's time for the timed proofs that got their verdict / (slots x elapsed)."""
    p50_ms: float
    p99_ms: float
    pss_mib: int
    rss_mib: int
    broker_mib: int
    accepted: int
    rejected: int
    unanswered: int
    wrong: tuple[str, ...]
    """What it got wrong: the trap (`timed` for a proof that is none), the judgement, its own words."""


def row(run: Run, cases: Sequence[Case], lean_seconds: Mapping[str, float], slots: int) -> Row:
    """Return the figures of a run. A proof that it does not name at all is unanswered."""
    said = {each.id: each for each in run.said}
    answers = [(case, said.get(case.id, Said(case.id, Answer.NONE, 0.0, "nothing said"))) for case in cases]
    judged = [(case, each, judge(case.expected, each.answer)) for case, each in answers]
    timed = [(case, each) for case, each in answers if not case.trap]
    latencies = [each.seconds * 1000 for case, each in timed if each.answer is not Answer.NONE]
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    useful = sum(lean_seconds.get(case.id, 0.0) for case, each in timed if each.answer is not Answer.NONE)
    counts = Counter(judgement for _, _, judgement in judged)
    return Row(
        system=run.system,
        rate=round(len(latencies) / run.elapsed, 1) if run.elapsed else 0.0,
        useful=round(useful / (slots * run.elapsed), 3) if run.elapsed else 0.0,
        p50_ms=round(cuts[49]),
        p99_ms=round(cuts[98]),
        pss_mib=round(run.pss / MIB),
        rss_mib=round(run.rss / MIB),
        broker_mib=round(run.broker / MIB),
        accepted=counts[Judgement.ACCEPTED],
        rejected=counts[Judgement.REJECTED],
        unanswered=counts[Judgement.UNANSWERED],
        wrong=tuple(
            f"{case.trap or 'timed'}: {judgement} ({each.detail})"
            for case, each, judgement in judged
            if judgement is not Judgement.RIGHT
        ),
    )


HEADINGS = (
    "system", "proofs/s", "useful", "p50 ms", "p99 ms", "PSS MiB", "RSS MiB", "broker MiB",
    "accepted", "rejected", "unanswered",
)  # fmt: skip


def cells(row: Row) -> list[str]:
    """Return the row's cells, in the order of HEADINGS."""
    return [
        row.system,
        f"{row.rate:,.1f}",
        f"{row.useful:.3f}",
        f"{row.p50_ms:,.0f}",
        f"{row.p99_ms:,.0f}",
        f"{row.pss_mib:,}",
        f"{row.rss_mib:,}",
        f"{row.broker_mib:,}" if row.broker_mib else "",
        str(row.accepted),
        str(row.rejected),
        str(row.unanswered),
    ]


def table(rows: Sequence[Row], title: str) -> Table:
    """Return the table for a terminal."""
    shown = Table(title=title, caption="accepted, rejected, unanswered: wrongly so")
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading == "system" else "right")
    for each in rows:
        shown.add_row(*cells(each))
    return shown


def markdown(rows: Sequence[Row]) -> str:
    """Return the table for a Markdown file."""
    lines = [list(HEADINGS), ["---", *["---:"] * (len(HEADINGS) - 1)], *(cells(each) for each in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
