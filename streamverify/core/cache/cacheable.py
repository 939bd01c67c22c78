"""Decides what the result cache may answer, and what it may keep. Pure.

What is kept is an answer that the same work would get again from the same Lean. So nothing inconclusive is, and nothing
that rests on more than the key has: a process that misbehaved, a request that was wrong, a proof that runs code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.audit.policy import runs_code
from streamverify.core.messages.models import Reason
from streamverify.core.messages.newest import weight_of
from streamverify.core.messages.reasons import OUTCOMES

if TYPE_CHECKING:
    from streamverify.core.job import Job, Verdict

DECIDED = frozenset(
    {
        Reason.OK,
        Reason.LEAN_ERROR,
        Reason.SORRY,
        Reason.POLICY,
        Reason.AXIOM,
        Reason.NO_THEOREM,
        Reason.STATEMENT_MISMATCH,
        Reason.KERNEL,
    }
)
"""The reasons that Lean, its audit or a checker decides, and would decide again.

Not `header_error`: a module may be being built. Not `protocol_violation`: that is about a process. Not
`invalid_request`: the request is refused again as fast as it is read. A new reason is not among them until somebody
has thought about it.
"""


def may_be_answered(job: Job) -> bool:
    """Tell whether a job may be answered with the verdict of identical work, and its own be kept.

    `disable_cache` forbids it. A proof that can run code may read a clock or a file, and may answer in the REPL's
    stead: what it says once is no reason to say it again.
    """
    return not job.request.disable_cache and not runs_code(job.findings)


def may_be_kept(verdict: Verdict) -> bool:
    """Tell whether a verdict is one that identical work gets, too. One that had parts left out is not whole."""
    # One that came from a cache is there already, with the age that it really has.
    return verdict.reason in DECIDED and not verdict.truncated and verdict.cached_age is None


def weight(verdict: Verdict) -> int:
    """Return how much a verdict counts against another one on the same work: as much as for a reader of results."""
    return weight_of(OUTCOMES[verdict.reason].status, verdict.assurance, judged_as_data=bool(verdict.checkers))
