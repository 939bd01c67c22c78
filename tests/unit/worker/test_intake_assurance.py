"""Which assurance a request gets, and what that means before any Lean is asked."""

from __future__ import annotations

from typing import Any

import pytest
from real_lean import decide

from streamverify.core.job import Job, Verdict
from streamverify.core.messages.codec import RequestLimits
from streamverify.core.messages.models import Assurance, ProofRequest, Reason
from streamverify.worker.intake import IntakeRules

CHECKED, AUDITED = Assurance.CHECKED, Assurance.AUDITED
HONEST = "theorem t : True := trivial\n"
CHEAT = "axiom cheat : False\n"
STATEMENT = "theorem t : True := sorry\n"


@pytest.mark.parametrize(
    ("asked", "default", "least", "gets"),
    [
        (None, CHECKED, CHECKED, CHECKED),
        (None, AUDITED, CHECKED, AUDITED),
        (None, CHECKED, AUDITED, AUDITED),
        ("checked", AUDITED, CHECKED, CHECKED),
        ("checked", AUDITED, AUDITED, AUDITED),
        ("audited", CHECKED, CHECKED, AUDITED),
    ],
)
def test_the_requested_assurance_is_raised_to_require_min(
    asked: Any, default: Assurance, least: Assurance, gets: Assurance
) -> None:
    rules = IntakeRules(RequestLimits(100), default, least, Assurance.AUDITED)
    assert rules.assurance(ProofRequest(custom_id="a", proof="", require=asked)) is gets


def test_a_proof_that_the_policy_rejects_is_never_queued_at_audited() -> None:
    verdict = decide(CHEAT)
    assert isinstance(verdict, Verdict)
    assert (verdict.reason, verdict.response) == (Reason.POLICY, None)
    assert [finding.rule for finding in verdict.findings] == ["axiom"]
    assert verdict.summary == "line 1, column 0: the policy objects to axiom cheat : False (axiom)"


def test_at_checked_a_proof_is_queued_with_its_findings() -> None:
    job = decide(CHEAT, require=CHECKED)
    assert isinstance(job, Job)
    assert job.assurance is CHECKED
    assert [finding.rule for finding in job.findings] == ["axiom"]


def test_an_honest_proof_is_queued_to_be_audited() -> None:
    job = decide(HONEST, statement=STATEMENT)
    assert isinstance(job, Job)
    assert (job.assurance, list(job.findings)) == (AUDITED, [])


def test_a_stand_in_audits_nothing() -> None:
    verdict = decide(HONEST, highest_tier=Assurance.CHECKED)
    assert isinstance(verdict, Verdict)
    assert verdict.reason is Reason.UNSUPPORTED
    assert "STREAMVERIFY_REQUIRE=checked" in verdict.summary
    assert isinstance(decide(HONEST, highest_tier=Assurance.CHECKED, require=CHECKED), Job)


def reason_of(proof: str, **fields: Any) -> Reason:
    verdict = decide(proof, highest_tier=Assurance.CHECKED, **fields)
    assert isinstance(verdict, Verdict)
    return verdict.reason


def test_the_first_of_several_reasons_counts() -> None:
    late = {"deadline": "2020-01-01T00:00:00Z"}
    assert reason_of("import 5\n" + CHEAT, statement="", **late) is Reason.INVALID_REQUEST
    assert reason_of("import 5\n" + CHEAT, **late) is Reason.EXPIRED
    assert reason_of("import 5\n" + CHEAT) is Reason.HEADER_ERROR
    assert reason_of(CHEAT) is Reason.POLICY
    assert reason_of(HONEST) is Reason.UNSUPPORTED


def test_at_checked_a_statement_is_not_looked_at() -> None:
    assert isinstance(decide(HONEST, require=CHECKED, statement=""), Job)
