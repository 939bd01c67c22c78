"""Compares the verdicts of two runs, pair by pair, in bounded memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.messages.models import Status
from streamverify.core.reports.bounded import BoundedTable, Largest
from streamverify.core.reports.comparison_model import (
    Changed,
    Comparison,
    Side,
    SlowerProof,
    TimeComparison,
    Transition,
    VerdictComparison,
)
from streamverify.core.reports.histogram import LogHistogram
from streamverify.core.reports.intervals import Sample, mcnemar_exact
from streamverify.core.reports.summary import durations
from streamverify.core.reports.tally import Named, joined, split_name
from streamverify.core.reports.verdict import cut

if TYPE_CHECKING:
    from typing import Literal

MAX_CHANGED = 1_000
MAX_TRANSITIONS = 200
MAX_SLOWER = 20
SIGNIFICANT = 0.05

VERIFIED, REJECTED = str(Status.VERIFIED), str(Status.REJECTED)


class KnownVerdict(NamedTuple):
    """The verdict of a run on one proof."""

    status: str | None
    reason: str
    seconds: float | None
    """Lean's time; None where a cache or no Lean answered."""

    @property
    def decided(self) -> bool:
        """True where something is known about the proof."""
        return self.status in {VERIFIED, REJECTED}


class Pairs:
    """Counts pairs of verdicts on the same proof, from run A and run B."""

    def __init__(self) -> None:
        self._common = 0
        self._changed = 0
        self._decided = 0
        self._gained = 0
        self._lost = 0
        self._listed: list[Changed] = []
        self._transitions: BoundedTable[Named] = BoundedTable(MAX_TRANSITIONS, Named)
        self._log_ratios = Sample()
        self._times = LogHistogram(), LogHistogram()
        self._slower: Largest[SlowerProof] = Largest(MAX_SLOWER, _gain)
        self._faster: Largest[SlowerProof] = Largest(MAX_SLOWER, lambda one: (-_gain(one)[0], one.custom_id))

    def add(self, custom_id: str, a: KnownVerdict, b: KnownVerdict) -> None:
        """Count one pair."""
        self._common += 1
        if (a.status, a.reason) != (b.status, b.reason):
            self._changed += 1
            self._transitions.entry(joined(a.status, a.reason, b.status, b.reason)).rows += 1
            if len(self._listed) < MAX_CHANGED:
                self._listed.append(
                    Changed(
                        custom_id=cut(custom_id),
                        a_status=a.status,
                        a_reason=a.reason,
                        b_status=b.status,
                        b_reason=b.reason,
                    )
                )
        if not (a.decided and b.decided):
            return  # what is inconclusive says nothing of the proof, and its time is that of the time-out
        self._decided += 1
        self._gained += a.status == REJECTED and b.status == VERIFIED
        self._lost += a.status == VERIFIED and b.status == REJECTED
        if a.seconds and b.seconds:
            # Ratios, not differences: a proof of a minute would outweigh a thousand of a second. In logarithms twice as
            # fast and twice as slow are alike.
            self._log_ratios.add(math.log(b.seconds / a.seconds))
            for histogram, seconds in zip(self._times, (a.seconds, b.seconds), strict=True):
                histogram.add(seconds)
            pair = SlowerProof(custom_id=cut(custom_id), a_seconds=a.seconds, b_seconds=b.seconds)
            if a.seconds != b.seconds:
                (self._slower if b.seconds > a.seconds else self._faster).add(pair)

    def comparison(self, a: Side, b: Side) -> Comparison:
        """Sum up what was counted."""
        return Comparison(
            a=a,
            b=b,
            common=self._common,
            only_a=a.proofs - self._common,
            only_b=b.proofs - self._common,
            verdicts=self._verdicts(),
            times=self._time(),
        )

    def _verdicts(self) -> VerdictComparison:
        p_value = mcnemar_exact(self._gained, self._lost)
        found: Literal["better", "worse", "none"] = "none"
        if p_value < SIGNIFICANT:
            found = "better" if self._gained > self._lost else "worse"
        transitions = []
        for name, counted in self._transitions.most_frequent(MAX_TRANSITIONS):
            a_status, a_reason, b_status, b_reason = split_name(name)
            transitions.append(
                Transition(
                    a_status=a_status,
                    a_reason=a_reason or "",
                    b_status=b_status,
                    b_reason=b_reason or "",
                    count=counted.rows,
                )
            )
        return VerdictComparison(
            changed=self._changed,
            transitions=transitions,
            listed=self._listed,
            decided_in_both=self._decided,
            gained=self._gained,
            lost=self._lost,
            p_value=p_value,
            found=found,
        )

    def _time(self) -> TimeComparison:
        sample, interval = self._log_ratios, self._log_ratios.interval()
        found: Literal["slower", "faster", "none"] = "none"
        if interval is not None:
            found = "slower" if interval.low > 0 else "faster" if interval.high < 0 else "none"
        return TimeComparison(
            pairs=sample.count,
            ratio=math.exp(sample.mean) if sample.count else None,
            low=math.exp(interval.low) if interval else None,
            high=math.exp(interval.high) if interval else None,
            method=interval.method if interval else None,
            found=found,
            a=durations(self._times[0], bars=False),
            b=durations(self._times[1], bars=False),
            slower=self._slower.in_order(),
            faster=self._faster.in_order(),
        )


def _gain(one: SlowerProof) -> tuple[float, str]:
    return one.b_seconds - one.a_seconds, one.custom_id
