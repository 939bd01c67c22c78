"""Decides how an audited proof gets to a higher tier: which step is next, and what the outcomes say together. Pure.

The driver asks `next` what to do, does it, and reports it; in the end `next` is a `Conclusion`. It knows no processes,
no files and no clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from streamverify.core.messages.models import OUTCOMES, Assurance, Checker, Reason, Status
from streamverify.core.tiers.ends import obstacle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.job import Verdict
    from streamverify.core.tiers.ends import StepVerdict


class Step(StrEnum):
    """One thing that is done with a proof, in a sandbox of its own."""

    COMPILE = "compile"
    """`lean -o` on the file as sent."""
    EXPORT = "export"
    """The theorems with all that they reach, as plain data."""
    NEEDS = "needs"
    """Our reading says which constants of the header the export must be compared with."""
    COMPILE_TRUSTED = "compile_trusted"
    """`lean -o` on the statement, or on the header alone where there is none, under the same module name."""
    EXPORT_TRUSTED = "export_trusted"
    READ = "read"
    """Our reading decides about format, axioms and statement."""
    REPLAY = "replay"
    """Lean's own kernel."""
    CROSS_CHECK = "cross_check"
    """An independent kernel."""


NAMES = {
    Step.COMPILE: "the compilation of the file",
    Step.EXPORT: "the export of the proof",
    Step.NEEDS: "the reading of the export",
    Step.COMPILE_TRUSTED: "the compilation of the statement",
    Step.EXPORT_TRUSTED: "the export of the statement",
    Step.READ: "the reading of the export",
}
"""The names of steps in the sentence of a result, where they are no checkers with a name."""

OWN_READING = "streamverify"
"""The name of our own reading among the checkers of a result."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The outcome of all steps together. `reached` is the highest tier that the proof has reached.

    `final` says that the same request would end in the same way, although its reason usually allows another try.
    """

    reason: Reason
    words: str
    reached: Assurance
    checkers: tuple[Checker, ...] = ()
    export_sha256: str | None = None
    final: bool = False

    @property
    def is_refusal(self) -> bool:
        """Tell whether the proof is rejected, and not only not known to be right."""
        return OUTCOMES[self.reason].status is Status.REJECTED


@dataclass(frozen=True, slots=True)
class _Failure:
    """The reason why the steps ended, or will end."""

    reason: Reason
    words: str
    final: bool


class TierSteps:
    """Decides on the steps of one proof, in order: it is asked for the `next`, and told of each what became of it.

    RUNNING --the last step went well--> CONCLUDED: all accept
        | a checker refuses ------------> CONCLUDED: rejected
        | an obstacle ------------------> CONCLUDED, or LAST CHANCE where only the independent kernel is left
                                          LAST CHANCE --judged--> CONCLUDED: rejected, or stopped by the obstacle
    """

    def __init__(self, target: Assurance, *, stated: bool) -> None:
        """`target` is `replayed` or `cross_checked`; `stated` says whether the request has a statement."""
        if target < Assurance.REPLAYED:
            raise ValueError(target)
        kernels = [Step.REPLAY, *([Step.CROSS_CHECK] if target is Assurance.CROSS_CHECKED else [])]
        self._stated = stated
        # Our reading comes before the kernels: it decides on what they take as given, the axioms and the statement.
        self._todo = deque([Step.COMPILE, Step.EXPORT, Step.NEEDS, Step.READ, *kernels])
        self._reached = Assurance.AUDITED
        self._checkers: list[Checker] = []
        self._export_sha256: str | None = None
        self._refusal: _Failure | None = None
        self._obstacle: _Failure | None = None

    @property
    def next(self) -> Step | Conclusion:
        """The step to take now, or what all of them say together.

        A refusal ends it: nothing can outweigh it. After an obstacle only a kernel that has not judged yet is still
        asked, for a refusal by any checker counts before another's inability.
        """
        if self._refusal is not None:
            return self._conclude(self._refusal)
        if self._obstacle is not None and self._todo != deque([Step.CROSS_CHECK]):
            return self._conclude(self._obstacle)
        if self._todo:
            return self._todo[0]
        if self._obstacle is not None:
            return self._conclude(self._obstacle)
        kernels = " and ".join(each.name for each in self._checkers if each.name != OWN_READING)
        words = f"its export was read, and is accepted by {kernels}"
        if any(each.name == "leanchecker.olean" for each in self._checkers):
            words += "; leanchecker read the compiled file itself, which is weaker (docs/audit.md)"
        return Conclusion(Reason.OK, words, self._reached, tuple(self._checkers), self._export_sha256)

    def done(self, step: Step) -> None:
        """A step that judges nothing has gone well."""
        self._took(step)

    def exported(self, sha256: str) -> None:
        """The proof is exported; every checker judges the bytes with this digest."""
        self._took(Step.EXPORT)
        self._export_sha256 = sha256

    def needs(self, roots: Sequence[str]) -> None:
        """The export has to be compared with these constants of the header, and with the statement if there is one."""
        self._took(Step.NEEDS)
        if roots or self._stated:
            # `extendleft` turns the order round: the compilation is next.
            self._todo.extendleft([Step.EXPORT_TRUSTED, Step.COMPILE_TRUSTED])

    def failed(self, step: Step, step_verdict: StepVerdict) -> None:
        """A step that judges nothing did not come to its end: nothing is known of the proof."""
        self._took(step)
        self._be_stopped(NAMES[step], step_verdict)

    def lacks(self, constant: str, by: Checker) -> None:
        """The header lacks a constant that the proof's export has and kernels compute with by its name."""
        self._took(Step.EXPORT_TRUSTED)
        self._checkers.append(by)
        self._refusal = _Failure(
            Reason.KERNEL, f"the file brings its own {constant}, which kernels compute with by its name", final=True
        )

    def read(self, by: Checker, step_verdict: StepVerdict, reason: Reason = Reason.KERNEL) -> None:
        """Our reading has accepted the export, refused it for `reason`, or could not read it."""
        self._took(Step.READ)
        self._checkers.append(by)
        if step_verdict.outcome == "refused":
            self._refusal = _Failure(reason, step_verdict.words, final=True)
        elif step_verdict.outcome != "accepted":
            self._be_stopped(NAMES[Step.READ], step_verdict)

    def judged(self, step: Step, by: Checker, step_verdict: StepVerdict) -> None:
        """A kernel has accepted the export, refused it, or ended without a verdict."""
        self._took(step)
        self._checkers.append(by)
        if step_verdict.outcome == "refused":
            words = f"{by.name} refuses the exported proof: {step_verdict.words}"
            self._refusal = _Failure(Reason.KERNEL, words, final=True)
        elif step_verdict.outcome != "accepted":
            self._be_stopped(by.name, step_verdict)
        elif self._obstacle is None:
            # After an obstacle an acceptance lifts nothing: each tier includes the one below it.
            self._reached = Assurance.REPLAYED if step is Step.REPLAY else Assurance.CROSS_CHECKED

    def _took(self, step: Step) -> None:
        if not self._todo or self._todo[0] is not step:
            raise ValueError(step)
        self._todo.popleft()

    def _be_stopped(self, who: str, step_verdict: StepVerdict) -> None:
        # The first is the reason that is told; a kernel that is asked after it can only refuse.
        if self._obstacle is None:
            reason, final = obstacle(step_verdict)
            self._obstacle = _Failure(reason, f"{who}: {step_verdict.words}", final)

    def _conclude(self, failure: _Failure) -> Conclusion:
        return Conclusion(
            failure.reason, failure.words, self._reached, tuple(self._checkers), self._export_sha256, failure.final
        )


def verdict_after(audited: Verdict, conclusion: Conclusion, seconds: float) -> Verdict:
    """Return the verdict on a proof that the audit has verified, by what the steps after it say.

    Args:
        audited: The audit's verdict.
        conclusion: What `TierSteps` came to.
        seconds: The time from the audit's verdict to this one.
    """
    timings = audited.timings.model_copy(
        update={"replay": seconds, "total": audited.timings.total + seconds},
    )
    common = replace(
        audited,
        reason=conclusion.reason,
        timings=timings,
        checkers=conclusion.checkers,
        export_sha256=conclusion.export_sha256,
        final=conclusion.final,
    )
    if conclusion.reason is Reason.OK:
        summary = f"{audited.summary.rstrip('.')}; {conclusion.words}."
        return replace(common, summary=summary, assurance=conclusion.reached)
    return replace(common, summary=f"Audited, and then: {conclusion.words}", reached=conclusion.reached)
