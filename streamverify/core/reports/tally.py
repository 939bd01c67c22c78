"""Counts verdicts for a report, one after another, in bounded memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from streamverify.core.messages.models import Status
from streamverify.core.reports.bounded import BoundedTable, Largest
from streamverify.core.reports.error_texts import normal_form
from streamverify.core.reports.histogram import LogHistogram
from streamverify.core.reports.verdict import MAX_TEXT, VerdictRow, cut

MAX_HEADERS = 512
MAX_ERRORS = 2_048
MAX_NAMES = 256
"""Names that are kept of reasons, verifiers, workers and runs."""
MAX_SLOWEST = 20


@dataclass(slots=True)
class Named:
    """The number of rows with a name."""

    rows: int = 0

    def merge(self, other: Named) -> None:
        """Count the other's, too."""
        self.rows += other.rows


@dataclass(slots=True)
class OfHeader:
    """The verdicts on the proofs with one header."""

    rows: int = 0
    header: str | None = None
    verified: int = 0
    rejected: int = 0
    lean: LogHistogram = field(default_factory=LogHistogram)
    imports: LogHistogram = field(default_factory=LogHistogram)

    def merge(self, other: OfHeader) -> None:
        """Count the other's, too."""
        self.rows += other.rows
        self.header = other.header
        self.verified += other.verified
        self.rejected += other.rejected
        self.lean.merge(other.lean)
        self.imports.merge(other.imports)


@dataclass(slots=True)
class OfError:
    """The rows with one kind of error, and the example whose id is the first in the alphabet."""

    rows: int = 0
    reason: str = ""
    form: str = ""
    example: tuple[str, str] | None = None

    def merge(self, other: OfError) -> None:
        """Count the other's, too."""
        self.rows += other.rows
        self.reason, self.form = other.reason, other.form
        if other.example is not None:
            self.example = min(self.example or other.example, other.example)


class Tally:
    """Counts verdicts. Two tallies can be added, which is the same as one that has counted everything."""

    def __init__(self) -> None:
        self.rows = 0
        self.statuses: Counter[str | None] = Counter()
        self.outcomes: BoundedTable[Named] = BoundedTable(MAX_NAMES, Named)
        self.assurances: BoundedTable[Named] = BoundedTable(MAX_NAMES, Named)
        self.verifiers: BoundedTable[Named] = BoundedTable(MAX_NAMES, Named)
        self.workers: BoundedTable[Named] = BoundedTable(MAX_NAMES, Named)
        self.runs: BoundedTable[Named] = BoundedTable(MAX_NAMES, Named)
        self.headers: BoundedTable[OfHeader] = BoundedTable(MAX_HEADERS, OfHeader)
        self.errors: BoundedTable[OfError] = BoundedTable(MAX_ERRORS, OfError)
        self.slowest: Largest[VerdictRow] = Largest(MAX_SLOWEST, lambda one: (one.run_seconds or 0.0, one.custom_id))
        self.lean = {str(status): LogHistogram() for status in Status}
        self.lean_by_warmth = {True: LogHistogram(), False: LogHistogram()}
        self.imports, self.audit, self.queued = LogHistogram(), LogHistogram(), LogHistogram()
        self.total, self.latency = LogHistogram(), LogHistogram()
        self.cached: Counter[str | None] = Counter()
        self.cached_age, self.cached_latency = LogHistogram(), LogHistogram()
        self.useful_seconds = 0.0
        self.first_sent: float | None = None
        self.last_answered: float | None = None

    def add(self, verdict: VerdictRow) -> None:
        """Count one verdict."""
        self.rows += 1
        self.statuses[verdict.status] += 1
        self.outcomes.entry(joined(verdict.status, verdict.reason)).rows += 1
        if verdict.verified:
            self.assurances.entry(verdict.assurance or "none").rows += 1
        if verdict.run is not None:
            self.runs.entry(verdict.run).rows += 1
        if verdict.status is not None:
            self.verifiers.entry(joined(*verdict.verifier)).rows += 1
            if verdict.worker is not None:
                self.workers.entry(verdict.worker).rows += 1
        if not verdict.verified:
            form = normal_form(verdict.said)
            error = self.errors.entry(joined(verdict.reason, form))
            error.merge(OfError(1, verdict.reason, form, (cut(verdict.custom_id), cut(verdict.said, MAX_TEXT))))
        header = self.headers.entry(_digest(verdict.header))
        header.rows += 1
        # With each row: a header that was forgotten and comes again has a new entry.
        header.header = None if verdict.header is None else cut(verdict.header)
        header.verified += verdict.verified
        header.rejected += verdict.status == Status.REJECTED
        # Hits apart: they took Lean no time now, and would make it look faster than it is.
        if verdict.cached:
            self.cached[verdict.status] += 1
            _add(self.cached_age, verdict.cached_age_seconds)
            _add(self.cached_latency, verdict.latency_seconds)
        elif verdict.status is not None:
            self._add_times(verdict, header)

    def _add_times(self, verdict: VerdictRow, header: OfHeader) -> None:
        """Count the times of an answer that is not from the cache."""
        _add(self.latency, verdict.latency_seconds)
        _add(self.total, verdict.total_seconds)
        _add(self.queued, verdict.queued_seconds)
        if verdict.import_seconds:
            # Also where the proof did not run after it: the import has failed, or was too slow.
            self.imports.add(verdict.import_seconds)
            header.imports.add(verdict.import_seconds)
        if verdict.run_seconds and verdict.status is not None:
            self.lean[verdict.status].add(verdict.run_seconds)
            self.lean_by_warmth[not verdict.import_seconds].add(verdict.run_seconds)
            header.lean.add(verdict.run_seconds)
            self.slowest.add(verdict)
        if verdict.audit_seconds:
            self.audit.add(verdict.audit_seconds)
        if verdict.decided:
            self.useful_seconds += (verdict.run_seconds or 0.0) + (verdict.audit_seconds or 0.0)
        if verdict.sent_at is not None and verdict.latency_seconds is not None:
            answered = verdict.sent_at + verdict.latency_seconds
            self.first_sent = min(verdict.sent_at, verdict.sent_at if self.first_sent is None else self.first_sent)
            self.last_answered = max(answered, answered if self.last_answered is None else self.last_answered)

    def merge(self, other: Tally) -> None:
        """Count everything that the other has counted."""
        self.rows += other.rows
        self.useful_seconds += other.useful_seconds
        self.statuses.update(other.statuses)
        self.cached.update(other.cached)
        self.slowest.extend(other.slowest.in_order())
        for name in ("outcomes", "assurances", "verifiers", "workers", "runs", "headers", "errors"):
            getattr(self, name).merge(getattr(other, name))
        for name in ("imports", "audit", "queued", "total", "latency", "cached_age", "cached_latency"):
            getattr(self, name).merge(getattr(other, name))
        for status, histogram in self.lean.items():
            histogram.merge(other.lean[status])
        for warm, histogram in self.lean_by_warmth.items():
            histogram.merge(other.lean_by_warmth[warm])
        sent = [moment for moment in (self.first_sent, other.first_sent) if moment is not None]
        answered = [moment for moment in (self.last_answered, other.last_answered) if moment is not None]
        self.first_sent, self.last_answered = min(sent, default=None), max(answered, default=None)


def split_name(name: str) -> list[str | None]:
    """Take a name of `outcomes` or `verifiers` apart again."""
    return [part[1:] if part else None for part in name.split("\0")]


def joined(*parts: str | None) -> str:
    """Join texts to one name. None and the empty text stay apart; a text from outside may have no NUL in it."""
    return "\0".join("" if part is None else "=" + part.replace("\0", "␀") for part in parts)


def _digest(header: str | None) -> str:
    """Name a header by a digest where it is long, so that a table of headers has a bound in bytes, too."""
    if header is None:
        return ""
    return "=" + (header if len(header) <= MAX_TEXT else hashlib.sha256(header.encode("utf-8", "replace")).hexdigest())


def _add(histogram: LogHistogram, seconds: float | None) -> None:
    if seconds is not None:
        histogram.add(seconds)
