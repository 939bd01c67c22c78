"""Makes the report of what a tally has counted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.messages.models import Status
from streamverify.core.reports import pass_at_k
from streamverify.core.reports.histogram import LogHistogram
from streamverify.core.reports.intervals import wilson
from streamverify.core.reports.report_model import (
    Bar,
    Cache,
    Counts,
    Durations,
    Environment,
    ErrorGroup,
    Errors,
    HeaderRow,
    Headers,
    Machine,
    Outcome,
    PassAtKEstimate,
    PassAtKPart,
    PassRate,
    Rate,
    Report,
    Run,
    SlowProof,
    Times,
    Utilisation,
    Verdicts,
    VerifierRow,
    Warmth,
)
from streamverify.core.reports.tally import Tally, split_name
from streamverify.core.reports.verdict import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.reports.pass_at_k import Problems

MAX_LISTED = 50
"""Headers, errors, reasons, verifiers and runs that a report lists at most."""
MAX_SETTINGS = 100

VERIFIED, REJECTED, INCONCLUSIVE = str(Status.VERIFIED), str(Status.REJECTED), str(Status.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class ProblemGroups:
    """The attempts at problems, counted by problem."""

    problems: Mapping[Problems, int]
    """The number of problems of each kind."""
    undecided: int = 0
    """Attempts that are inconclusive or unsent."""
    superseded: int = 0
    """Problems of which an attempt was superseded."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The parts of a report that no row says."""

    title: str
    made_at: str
    """RFC 3339."""
    version: str
    """streamverify's."""
    verdicts: Verdicts
    run: Run | None = None
    machine: Machine | None = None
    slots: int | None = None


def summarize(tally: Tally, groups: ProblemGroups, facts: Facts) -> Report:
    """Make the report.

    Args:
        tally: What was counted.
        groups: The attempts at problems; without problems the report has no pass@k.
        facts: What no row says.
    """
    verified, rejected = tally.statuses[VERIFIED], tally.statuses[REJECTED]
    return Report(
        title=cut(facts.title),
        made_at=facts.made_at,
        run=_bounded(facts.run),
        counts=Counts(
            rows=tally.rows,
            verified=verified,
            rejected=rejected,
            inconclusive=tally.statuses[INCONCLUSIVE],
            unsent=tally.statuses[None],
        ),
        pass_rate=PassRate(of_all=_rate(verified, tally.rows), of_decided=_rate(verified, verified + rejected)),
        outcomes=_outcomes(tally),
        pass_at_k=_pass_at_k(groups),
        times=_times(tally),
        warmth=Warmth(
            warm=tally.lean_by_warmth[True].count,
            cold=tally.lean_by_warmth[False].count,
            lean_warm=durations(tally.lean_by_warmth[True]),
            lean_cold=durations(tally.lean_by_warmth[False]),
            imports=durations(tally.imports),
        ),
        utilisation=_utilisation(tally, facts),
        cache=Cache(
            hits=(hits := sum(tally.cached.values())),
            share=_share(hits, tally.rows),
            verified=tally.cached[VERIFIED],
            rejected=tally.cached[REJECTED],
            age=durations(tally.cached_age),
            latency=durations(tally.cached_latency),
        ),
        headers=_headers(tally),
        slowest=[
            SlowProof(
                custom_id=one.custom_id,
                status=one.status,
                reason=one.reason,
                run_seconds=one.run_seconds or 0.0,
                import_seconds=one.import_seconds,
                header=None if one.header is None else cut(one.header),
            )
            for one in tally.slowest.in_order()
        ],
        errors=_errors(tally),
        environment=_environment(tally, facts),
        verdicts=facts.verdicts,
    )


def durations(histogram: LogHistogram, *, bars: bool = True) -> Durations:
    """Describe how durations are distributed."""
    counted = histogram.count > 0
    return Durations(
        count=histogram.count,
        total=histogram.total,
        mean=histogram.mean,
        p50=histogram.percentile(50),
        p90=histogram.percentile(90),
        p99=histogram.percentile(99),
        longest=histogram.longest if counted else None,
        bars=[Bar(low=bar.low, high=bar.high, count=bar.number) for bar in histogram.bars()] if bars else [],
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _rate(verified: int, of: int) -> Rate:
    interval = wilson(verified, of)
    return Rate(
        verified=verified,
        of=of,
        rate=verified / of if of else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _outcomes(tally: Tally) -> list[Outcome]:
    """List the reasons: verified ones first, then rejected, inconclusive and unsent, each the most frequent first."""
    order = {VERIFIED: 0, REJECTED: 1, INCONCLUSIVE: 2}
    listed = []
    for name, counted in tally.outcomes.most_frequent(MAX_LISTED):
        status, reason = split_name(name)
        shown = "unsent" if status is None else reason or "?"
        listed.append(
            Outcome(status=status, reason=shown, count=counted.rows, share=_share(counted.rows, tally.rows)),
        )
    return sorted(listed, key=lambda one: (order.get(one.status or "", 3), -one.count, one.reason))


def _pass_at_k(groups: ProblemGroups) -> PassAtKPart | None:
    if not groups.problems:
        return None
    count = sum(groups.problems.values())
    refused = None
    # An attempt that was not run is neither good nor bad, and which ones were run depended on the others.
    if groups.superseded:
        refused = (
            f"Of {groups.superseded:,} of {count:,} problems an attempt was superseded: it was not run because another "
            "had succeeded, or because it was cancelled, so the share of good attempts is not known. Send the attempts "
            "without `first_success`, or again."
        )
    return PassAtKPart(
        problems=count,
        attempts=sum(kind.attempts * number for kind, number in groups.problems.items()),
        fewest=min(kind.attempts for kind in groups.problems),
        most=max(kind.attempts for kind in groups.problems),
        undecided=groups.undecided,
        refused=refused,
        estimates=[]
        if refused
        else [
            PassAtKEstimate(
                k=one.k,
                estimate=one.estimate,
                low=one.interval.low if one.interval else None,
                high=one.interval.high if one.interval else None,
                method=one.interval.method if one.interval else None,
            )
            for one in pass_at_k.estimate(groups.problems)
        ],
        source=pass_at_k.SOURCE,
    )


def _times(tally: Tally) -> Times:
    every = LogHistogram()
    for histogram in tally.lean.values():
        every.merge(histogram)
    return Times(
        lean=durations(every),
        lean_verified=durations(tally.lean[VERIFIED]),
        lean_rejected=durations(tally.lean[REJECTED]),
        lean_inconclusive=durations(tally.lean[INCONCLUSIVE]),
        audit=durations(tally.audit),
        queued=durations(tally.queued),
        total=durations(tally.total),
        latency=durations(tally.latency),
    )


def _utilisation(tally: Tally, facts: Facts) -> Utilisation:
    lean = tally.imports.total + tally.audit.total + sum(histogram.total for histogram in tally.lean.values())
    # What replay has measured leaves out its pauses; the rows know only when the first was sent and the last answered.
    elapsed = facts.run.elapsed_seconds if facts.run is not None else None
    measured = elapsed is not None
    if elapsed is None and tally.first_sent is not None and tally.last_answered is not None:
        elapsed = max(0.0, tally.last_answered - tally.first_sent)
    # Not cut at 1: a share above it shows that the number of slots, or the time, is wrong.
    share = tally.useful_seconds / (facts.slots * elapsed) if facts.slots and elapsed else None
    note = None
    if not elapsed:
        note = "The rows do not say how long the run took: only replay measures it."
    elif facts.slots is None:
        note = "The rows do not say how many slots the workers had: name the sum with --slots."
    elif share is not None and share > 1:
        note = "More than the slots could do: there were more of them, or the rows are of more than one run."
    return Utilisation(
        useful_seconds=tally.useful_seconds,
        lean_seconds=lean,
        slots=facts.slots,
        elapsed_seconds=elapsed,
        elapsed_from=None if elapsed is None else "run" if measured else "rows",
        share=share,
        note=note,
    )


def _headers(tally: Tally) -> Headers:
    listed = tally.headers.most_frequent(MAX_LISTED)
    return Headers(
        listed=[
            HeaderRow(
                header=one.header,
                rows=one.rows,
                verified=one.verified,
                rejected=one.rejected,
                lean=durations(one.lean, bars=False),
                imports=durations(one.imports, bars=False),
            )
            for _, one in listed
        ],
        others=tally.rows - sum(one.rows for _, one in listed),
        exact=tally.headers.exact,
    )


def _errors(tally: Tally) -> Errors:
    listed = tally.errors.most_frequent(MAX_LISTED)
    with_error = tally.rows - tally.statuses[VERIFIED]
    return Errors(
        listed=[
            ErrorGroup(
                reason=one.reason,
                form=one.form,
                count=one.rows,
                example_id=one.example[0] if one.example else "",
                example=one.example[1] if one.example else "",
            )
            for _, one in listed
        ],
        others=with_error - sum(one.rows for _, one in listed),
        exact=tally.errors.exact,
    )


def _environment(tally: Tally, facts: Facts) -> Environment:
    verifiers = []
    for name, counted in tally.verifiers.most_frequent(MAX_LISTED):
        kind, lean, repl, mathlib, policy = split_name(name)
        verifiers.append(
            VerifierRow(
                kind=kind,
                lean_version=lean,
                repl_version=repl,
                mathlib_version=mathlib,
                policy_version=policy,
                rows=counted.rows,
            )
        )
    return Environment(
        streamverify=facts.version,
        verifiers=verifiers,
        assurances={name: counted.rows for name, counted in tally.assurances.most_frequent(MAX_LISTED)},
        workers=len(tally.workers),
        workers_exact=tally.workers.exact,
        runs=[cut(name) for name, _ in tally.runs.most_frequent(MAX_LISTED)],
        machine=facts.machine,
    )


def _bounded(run: Run | None) -> Run | None:
    if run is None:
        return None
    settings = itertools.islice(run.settings.items(), MAX_SETTINGS)
    return run.model_copy(
        update={"source": cut(run.source), "settings": {cut(name): cut(value) for name, value in settings}}
    )
