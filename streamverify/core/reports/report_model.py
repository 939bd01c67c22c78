"""The report as it stands in `report.json`. Every list has a fixed bound, and every text is cut.

`streamverify schema report` makes its JSON Schema. Durations are in seconds, shares and rates from 0 to 1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

REPORT_VERSION = 1
"""Version of the report. It grows when a reader that knows the old one would misread the new one."""

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class ReportPart(BaseModel):
    """A part of a report."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Rate(ReportPart):
    """A share of verified proofs, with Wilson's 95 % interval."""

    verified: Annotated[Count, Field(description="Proofs that are verified.")]
    of: Annotated[Count, Field(description="Rows that were counted.")]
    rate: Annotated[Share | None, Field(description="The share; null where no row counts.")]
    low: Annotated[Share | None, Field(description="Lower end of the interval.")]
    high: Annotated[Share | None, Field(description="Upper end of the interval.")]


class PassRate(ReportPart):
    """The share of proofs that hold, once for each way in which rows without a decision may be counted."""

    of_all: Annotated[Rate, Field(description="Of all rows: inconclusive and unsent ones count as not verified.")]
    of_decided: Annotated[Rate, Field(description="Of verified and rejected ones: all others are left out.")]


class Outcome(ReportPart):
    """The number of rows with one reason."""

    status: Annotated[str | None, Field(description="The status; null where the row could not be sent.")]
    reason: Annotated[str, Field(description="The reason; `unsent` where the row could not be sent.")]
    count: Annotated[Count, Field(description="Rows.")]
    share: Annotated[Share, Field(description="Of all rows.")]


class PassAtKEstimate(ReportPart):
    """pass@k for one k."""

    k: Annotated[int, Field(ge=1, description="Attempts that are drawn of each problem.")]
    estimate: Annotated[Share, Field(description="Mean over the problems.")]
    low: Annotated[float | None, Field(description="Lower end of the 95 % interval over problems; null: none.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    method: Annotated[
        Literal["bootstrap", "normal"] | None,
        Field(description="How the interval was found. Null: fewer than 10 problems, or all alike."),
    ]


class PassAtKPart(ReportPart):
    """pass@k over the rows that have a group."""

    problems: Annotated[Count, Field(description="Groups, each of one run.")]
    attempts: Annotated[Count, Field(description="Rows in them.")]
    fewest: Annotated[Count, Field(description="The fewest attempts at a problem, and so the largest k.")]
    most: Annotated[Count, Field(description="The most attempts at a problem.")]
    undecided: Annotated[
        Count, Field(description="Attempts that are inconclusive or unsent. They count as failed: the truth is higher.")
    ]
    refused: Annotated[str | None, Field(description="Why there is no estimate, in one sentence.")]
    estimates: Annotated[list[PassAtKEstimate], Field(description="From small k to large.")]
    source: Annotated[str, Field(description="Where the estimator comes from.")]


class Bar(ReportPart):
    """One bar of a histogram on a logarithmic axis."""

    low: Annotated[Seconds, Field(description="Where it begins.")]
    high: Annotated[Seconds, Field(description="Where it ends.")]
    count: Annotated[Count, Field(description="Durations in it.")]


class Durations(ReportPart):
    """The distribution of some durations. Percentiles are within 1 % of the true value, all else is exact."""

    count: Annotated[Count, Field(description="How many there are.")]
    total: Annotated[Seconds, Field(description="Their sum.")]
    mean: Annotated[Seconds | None, Field(description="Their mean; null where there is none.")]
    p50: Annotated[Seconds | None, Field(description="The median.")]
    p90: Annotated[Seconds | None, Field(description="The 90th percentile.")]
    p99: Annotated[Seconds | None, Field(description="The 99th percentile.")]
    longest: Annotated[Seconds | None, Field(description="The longest.")]
    bars: Annotated[list[Bar], Field(description="A histogram with bars of equal width in the logarithm.")]


class Times(ReportPart):
    """The seconds that each step took. Answers from the cache are in none of these: `cache` has theirs."""

    lean: Annotated[Durations, Field(description="Lean's time for the body of each proof that it ran.")]
    lean_verified: Annotated[Durations, Field(description="The same, of verified proofs.")]
    lean_rejected: Annotated[Durations, Field(description="The same, of rejected ones.")]
    lean_inconclusive: Annotated[Durations, Field(description="The same, of inconclusive ones: their time-outs.")]
    audit: Annotated[Durations, Field(description="The audit's time, where there was one.")]
    queued: Annotated[Durations, Field(description="From the record's arrival in the worker to its turn.")]
    total: Annotated[Durations, Field(description="From the record's arrival in the worker to the verdict.")]
    latency: Annotated[Durations, Field(description="From the moment of sending to the answer; replay measures it.")]


class Warmth(ReportPart):
    """Proofs that found their header imported, and proofs that had to import it first."""

    warm: Annotated[Count, Field(description="Proofs that Lean ran whose header was there.")]
    cold: Annotated[Count, Field(description="Proofs that Lean ran after importing their header.")]
    lean_warm: Annotated[Durations, Field(description="Lean's time for the bodies of warm proofs.")]
    lean_cold: Annotated[Durations, Field(description="Lean's time for the bodies of cold proofs.")]
    imports: Annotated[Durations, Field(description="The time that the imports took.")]


class Utilisation(ReportPart):
    """The share of the slots' time in which Lean worked for an answer."""

    useful_seconds: Annotated[Seconds, Field(description="Run and audit of proofs that were verified or rejected.")]
    lean_seconds: Annotated[Seconds, Field(description="Imports, runs and audits of all that was run.")]
    slots: Annotated[int | None, Field(description="REPLs that could run at once, in all workers; null: not known.")]
    elapsed_seconds: Annotated[Seconds | None, Field(description="From the first request to the last answer.")]
    elapsed_from: Annotated[
        Literal["run", "rows"] | None,
        Field(description="`run`: measured by replay; `rows`: from the times in the rows; null: not known."),
    ]
    share: Annotated[
        Annotated[float, Field(ge=0)] | None, Field(description="useful_seconds / (slots x elapsed_seconds).")
    ]
    note: Annotated[str | None, Field(description="Why there is no share, or why it is none to trust; one sentence.")]


class Cache(ReportPart):
    """Answers from the result cache. They are in no other time of the report."""

    hits: Annotated[Count, Field(description="Rows answered from it.")]
    share: Annotated[Share, Field(description="Of all rows.")]
    verified: Annotated[Count, Field(description="Of the hits.")]
    rejected: Annotated[Count, Field(description="Of the hits.")]
    age: Annotated[Durations, Field(description="How old the cached results were.")]
    latency: Annotated[Durations, Field(description="From the moment of sending to the answer.")]


class HeaderRow(ReportPart):
    """The verdicts of the proofs with one import header."""

    header: Annotated[str | None, Field(description='The canonical header, cut; "" is none, null is not known.')]
    rows: Annotated[Count, Field(description="Rows.")]
    verified: Annotated[Count, Field(description="Of these.")]
    rejected: Annotated[Count, Field(description="Of these.")]
    lean: Annotated[Durations, Field(description="Lean's time for their bodies. Without `bars`.")]
    imports: Annotated[Durations, Field(description="The time of the imports. Without `bars`.")]


class Headers(ReportPart):
    """The most frequent headers."""

    listed: Annotated[list[HeaderRow], Field(description="The most frequent first.")]
    others: Annotated[Count, Field(description="Rows with a header that is not listed.")]
    exact: Annotated[bool, Field(description="False: so many headers that the figures are lower bounds.")]


class SlowProof(ReportPart):
    """One of the proofs that took Lean longest."""

    custom_id: Annotated[str, Field(description="Its id, cut.")]
    status: Annotated[str | None, Field(description="Its status.")]
    reason: Annotated[str, Field(description="Its reason.")]
    run_seconds: Annotated[Seconds, Field(description="Lean's time for the body.")]
    import_seconds: Annotated[Seconds | None, Field(description="The time of the import.")]
    header: Annotated[str | None, Field(description="Its header, cut.")]


class ErrorGroup(ReportPart):
    """Errors that are the same but for names and numbers."""

    reason: Annotated[str, Field(description="The reason of the verdicts.")]
    form: Annotated[str, Field(description="What they have in common; '…' is something quoted, N a number.")]
    count: Annotated[Count, Field(description="Rows.")]
    example_id: Annotated[str, Field(description="One of them.")]
    example: Annotated[str, Field(description="What it said, cut.")]


class Errors(ReportPart):
    """The first error of each row that is not verified, grouped."""

    listed: Annotated[list[ErrorGroup], Field(description="The most frequent first.")]
    others: Annotated[Count, Field(description="Rows with an error that is not listed.")]
    exact: Annotated[bool, Field(description="False: so many errors that the counts are lower bounds.")]


class VerifierRow(ReportPart):
    """A program that answered."""

    kind: Annotated[str | None, Field(description="`lean`, or a stand-in, whose verdicts say nothing of a proof.")]
    lean_version: Annotated[str | None, Field(description="Lean's version.")]
    repl_version: Annotated[str | None, Field(description="The REPL's version.")]
    mathlib_version: Annotated[str | None, Field(description="Mathlib's version.")]
    policy_version: Annotated[str | None, Field(description="The version of the audit's policy.")]
    rows: Annotated[Count, Field(description="Rows that it answered.")]


class Machine(ReportPart):
    """The machine on which replay ran; workers may have run elsewhere."""

    system: Annotated[str, Field(description="Operating system and architecture.")]
    processor: Annotated[str | None, Field(description="The processor's model.")]
    cores: Annotated[int | None, Field(description="Cores that the process could use.")]
    memory_bytes: Annotated[int | None, Field(description="Memory that it could use.")]
    python: Annotated[str, Field(description="Python's version.")]


class Environment(ReportPart):
    """The worker and the machine that answered."""

    streamverify: Annotated[str, Field(description="The version that made the report.")]
    verifiers: Annotated[list[VerifierRow], Field(description="The most frequent first.")]
    assurances: Annotated[dict[str, int], Field(description="Verified rows by assurance.")]
    workers: Annotated[Count, Field(description="Different workers that answered.")]
    workers_exact: Annotated[bool, Field(description="False: there were more.")]
    runs: Annotated[list[str], Field(description="Names of runs in the rows, the most frequent first.")]
    machine: Annotated[Machine | None, Field(description="Null where the report was made from a file alone.")]


class Run(ReportPart):
    """The work of the replay itself. Null in a report that was made from a file alone."""

    source: Annotated[str, Field(description="The data set.")]
    started_at: Annotated[str | None, Field(description="RFC 3339.")] = None
    finished_at: Annotated[str | None, Field(description="RFC 3339.")] = None
    elapsed_seconds: Annotated[Seconds | None, Field(description="Time in which replay ran, pauses left out.")] = None
    complete: Annotated[bool, Field(description="Whether every row was answered.")] = True
    settings: Annotated[dict[str, str], Field(description="Options and settings, as text.")] = Field(
        default_factory=dict
    )


class Verdicts(ReportPart):
    """The file with the verdict of each row, for `streamverify report A B`."""

    file: Annotated[str | None, Field(description="The file of verdicts, as a path from the report's folder.")]
    rows: Annotated[
        list[tuple[str, str | None, str, float | None]] | None,
        Field(
            description="Up to 100,000 rows: custom_id, status, reason, and Lean's seconds; null where a cache or no "
            "Lean answered. Null where there are more rows: then the file is needed."
        ),
    ]


class Counts(ReportPart):
    """The numbers of rows."""

    rows: Annotated[Count, Field(description="All of them.")]
    verified: Annotated[Count, Field(description="Of these.")]
    rejected: Annotated[Count, Field(description="Of these.")]
    inconclusive: Annotated[Count, Field(description="Of these: answered, but nothing is known about the proof.")]
    unsent: Annotated[Count, Field(description="Of these: no request, or one that could not be sent.")]


class Report(ReportPart):
    """The verdicts of a data set in numbers: the content of report.json, and of the page report.html."""

    kind: Annotated[Literal["streamverify-report"], Field(description="What this file is.")] = "streamverify-report"
    report_version: Annotated[int, Field(ge=1, description="Grows when an old reader would misread it.")] = (
        REPORT_VERSION
    )
    title: Annotated[str, Field(description="A name for people.")]
    made_at: Annotated[str, Field(description="RFC 3339.")]
    run: Annotated[Run | None, Field(description="What replay did; null where a file alone was read.")]
    counts: Annotated[Counts, Field(description="The numbers of rows.")]
    pass_rate: Annotated[PassRate, Field(description="The share of proofs that hold.")]
    outcomes: Annotated[list[Outcome], Field(description="Verdicts by reason.")]
    pass_at_k: Annotated[PassAtKPart | None, Field(description="Null where no row has a group.")]
    times: Annotated[Times, Field(description="Where the time went.")]
    warmth: Annotated[Warmth, Field(description="Warm and cold headers.")]
    utilisation: Annotated[Utilisation, Field(description="How busy the slots were with Lean's work.")]
    cache: Annotated[Cache, Field(description="Answers from the result cache.")]
    headers: Annotated[Headers, Field(description="Time by header.")]
    slowest: Annotated[list[SlowProof], Field(description="The slowest first.")]
    errors: Annotated[Errors, Field(description="The most frequent errors.")]
    environment: Annotated[Environment, Field(description="The worker and the machine that answered.")]
    verdicts: Annotated[Verdicts, Field(description="Where the verdict of each row is.")]
