"""The table of cached and non-cached verification, as kimina-lean-server's README had it.

There (`client/kimina_client/proof_utils.py`, its function `analyze`) *valid* is the share of all proofs that Lean
accepts without `sorry`; *total* is the sum of the time that the REPL took for each, time-outs left out; *average* is
that sum over the proofs in it. So it is here, with two differences that make ours larger: an import counts where a
proof had to wait for one, also in cached mode (there it is left out of the time of a cached proof), and so does the
audit (there is none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from streamverify.core.reports.verdict import VerdictRow

HEADS = ("Mode", "Valid proofs (%)", "Total verification time (s)", "Average verification time (s)")


class ModeRow(NamedTuple):
    """The figures of the rows in one mode. Percent and seconds; None where there is nothing to divide by."""

    mode: str
    rows: int
    valid_percent: float | None
    measured: int
    """Proofs in the times: Lean ran them, and they were verified or rejected."""
    total_seconds: float
    average_seconds: float | None
    cached: int
    """Answers from the result cache: Lean did not run, so they are in no time."""
    inconclusive: int
    """Time-outs and failures, which are in no time either, and rows that could not be sent."""


class Mode:
    """Counts the verdicts of one mode."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rows = self._verified = self._measured = self._cached = self._inconclusive = 0
        self._seconds = 0.0

    def add(self, verdict: VerdictRow) -> None:
        """Count one verdict."""
        self._rows += 1
        self._verified += verdict.verified
        self._cached += verdict.cached
        self._inconclusive += not verdict.decided
        if verdict.decided and verdict.ran:
            self._measured += 1
            self._seconds += sum(
                seconds or 0.0 for seconds in (verdict.import_seconds, verdict.run_seconds, verdict.audit_seconds)
            )

    def row(self) -> ModeRow:
        """Sum up what was counted."""
        return ModeRow(
            mode=self._name,
            rows=self._rows,
            valid_percent=100 * self._verified / self._rows if self._rows else None,
            measured=self._measured,
            total_seconds=self._seconds,
            average_seconds=self._seconds / self._measured if self._measured else None,
            cached=self._cached,
            inconclusive=self._inconclusive,
        )


def table_lines(rows: list[ModeRow]) -> list[str]:
    """Lay the table out, in Markdown."""
    lines = [f"| {' | '.join(HEADS)} |", "|---|---:|---:|---:|"]
    for row in rows:
        figures = (row.valid_percent, row.total_seconds, row.average_seconds)
        lines.append(f"| {row.mode} | {' | '.join('' if figure is None else f'{figure:.2f}' for figure in figures)} |")
    return lines
