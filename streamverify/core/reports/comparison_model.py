"""The comparison of two runs as `streamverify report A B --json` prints it. Every list has a fixed bound.

`streamverify schema comparison` makes its JSON Schema. Durations are in seconds, shares and rates from 0 to 1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streamverify.core.reports.report_model import Count, Durations, ReportPart, Seconds, VerifierRow

COMPARISON_VERSION = 1


class Side(ReportPart):
    """One of the two runs."""

    name: Annotated[str, Field(description="What was named on the command line.")]
    title: Annotated[str | None, Field(description="The title of its report; null for a file of verdicts.")]
    rows: Annotated[Count, Field(description="Rows.")]
    proofs: Annotated[Count, Field(description="Different custom_ids. Of equal ones the last row counts.")]
    verified: Annotated[Count, Field(description="Of the proofs.")]
    rejected: Annotated[Count, Field(description="Of the proofs.")]
    inconclusive: Annotated[Count, Field(description="Of the proofs; unsent ones, too.")]
    verifiers: Annotated[list[VerifierRow], Field(description="What answered; empty for a file of verdicts.")]


class Transition(ReportPart):
    """A change of verdict."""

    a_status: Annotated[str | None, Field(description="Status in run A; null: unsent.")]
    a_reason: Annotated[str, Field(description="Reason in run A.")]
    b_status: Annotated[str | None, Field(description="Status in run B; null: unsent.")]
    b_reason: Annotated[str, Field(description="Reason in run B.")]
    count: Annotated[Count, Field(description="Proofs.")]


class Changed(ReportPart):
    """A proof whose verdict changed."""

    custom_id: Annotated[str, Field(description="Its id, cut.")]
    a_status: Annotated[str | None, Field(description="Status in run A; null: unsent.")]
    a_reason: Annotated[str, Field(description="Reason in run A.")]
    b_status: Annotated[str | None, Field(description="Status in run B; null: unsent.")]
    b_reason: Annotated[str, Field(description="Reason in run B.")]


class VerdictComparison(ReportPart):
    """The verdicts that changed."""

    changed: Annotated[Count, Field(description="Proofs with another status or reason.")]
    transitions: Annotated[list[Transition], Field(description="The most frequent first.")]
    listed: Annotated[list[Changed], Field(description="Up to 1,000 of the changed ones, by custom_id.")]
    decided_in_both: Annotated[Count, Field(description="Proofs that both runs verified or rejected.")]
    gained: Annotated[Count, Field(description="Of these: rejected in A, verified in B.")]
    lost: Annotated[Count, Field(description="Of these: verified in A, rejected in B.")]
    p_value: Annotated[float, Field(ge=0, le=1, description="Of McNemar's exact test, two-sided: gained against lost.")]
    found: Annotated[
        Literal["better", "worse", "none"], Field(description="B against A where the p-value is below 0.05.")
    ]


class SlowerProof(ReportPart):
    """A proof whose time changed."""

    custom_id: Annotated[str, Field(description="Its id, cut.")]
    a_seconds: Annotated[Seconds, Field(description="Lean's time in run A.")]
    b_seconds: Annotated[Seconds, Field(description="Lean's time in run B.")]


class TimeComparison(ReportPart):
    """The change in time, over the proofs that Lean ran and decided in both runs."""

    pairs: Annotated[Count, Field(description="Those proofs.")]
    ratio: Annotated[float | None, Field(description="Geometric mean of the time in B over that in A, proof by proof.")]
    low: Annotated[float | None, Field(description="Lower end of its 95 % interval over the proofs.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    method: Annotated[
        Literal["bootstrap", "normal"] | None,
        Field(description="How the interval was found, of the logarithm. Null: fewer than 10 pairs, or all alike."),
    ]
    found: Annotated[
        Literal["slower", "faster", "none"], Field(description="B against A, where the interval does not contain 1.")
    ]
    a: Annotated[Durations, Field(description="The times in run A. Without `bars`.")]
    b: Annotated[Durations, Field(description="The times in run B. Without `bars`.")]
    slower: Annotated[list[SlowerProof], Field(description="Those with the largest gain in seconds.")]
    faster: Annotated[list[SlowerProof], Field(description="Those with the largest loss in seconds.")]


class Comparison(ReportPart):
    """Run B compared to run A, over the custom_ids that are in both."""

    kind: Annotated[Literal["streamverify-comparison"], Field(description="What this is.")] = "streamverify-comparison"
    comparison_version: Annotated[int, Field(ge=1, description="Grows when an old reader would misread it.")] = (
        COMPARISON_VERSION
    )
    a: Annotated[Side, Field(description="Run A.")]
    b: Annotated[Side, Field(description="Run B.")]
    common: Annotated[Count, Field(description="custom_ids that are in both.")]
    only_a: Annotated[Count, Field(description="custom_ids that are only in A.")]
    only_b: Annotated[Count, Field(description="custom_ids that are only in B.")]
    verdicts: Annotated[VerdictComparison, Field(description="The verdicts that changed.")]
    times: Annotated[TimeComparison, Field(description="What got slower.")]
