"""Audits in the pool, with a scripted REPL: what is asked when, what failures become, and who is replaced."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path  # noqa: TC003 -- a fixture's type
from typing import TYPE_CHECKING, Any

import pytest
from repl_fakes import Bench, bench, job, no_process_left, starts  # noqa: F401 -- a fixture

from streamverify.core.messages.models import Assurance, Finding, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.job import Verdict

pytestmark = [pytest.mark.usefixtures("no_process_left")]


async def run(
    b: Bench,
    proof: str,
    *,
    assurance: Assurance = Assurance.AUDITED,
    findings: Sequence[Finding] = (),
    **request: Any,
) -> Verdict:
    outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    made = replace(job(proof, **request), assurance=assurance, findings=findings)
    b.pool.submit(made, lambda _, verdict: outcome.set_result(verdict))
    return await asyncio.wait_for(outcome, 60)


async def test_an_honest_proof_is_audited() -> None:
    async with bench() as b:
        verdict = await run(b, "theorem a : True := trivial\ntheorem B.c : True := trivial")
    assert (verdict.reason, verdict.assurance) == (Reason.OK, Assurance.AUDITED)
    assert [(each.name, each.type) for each in verdict.theorems] == [("a", "True"), ("B.c", "True")]
    assert verdict.timings.audit > 0
    assert verdict.timings.run > 0


@pytest.mark.parametrize(
    ("proof", "request_", "reason"),
    [
        ("theorem axioms_cheat : True := x", {}, Reason.AXIOM),
        ("theorem unknown_t : True := x", {}, Reason.NO_THEOREM),
        ("theorem def_t : True := x", {}, Reason.NO_THEOREM),
        ("example : True := x", {}, Reason.NO_THEOREM),
        ("theorem t : True := x", {"theorem": "other"}, Reason.NO_THEOREM),
        ("theorem t : True := x -- fake: error", {}, Reason.LEAN_ERROR),
        ("theorem t : True := x -- fake: sorry", {}, Reason.SORRY),
        ("fake_command", {}, Reason.POLICY),
        ("theorem t : True := x", {"statement": "theorem t : True := sorry"}, Reason.OK),
        ("theorem hidden_t : True := x", {"statement": "theorem hidden_t : True := sorry"}, Reason.INVALID_REQUEST),
        ("theorem t : True := x", {"statement": "import A\ntheorem t : True := sorry"}, Reason.STATEMENT_MISMATCH),
        ("theorem t : True := x", {"statement": "theorem t : True := sorry -- fake: error"}, Reason.INVALID_REQUEST),
        ("theorem t : True := x", {"statement": "fake_command\ntheorem t : True := sorry"}, Reason.INVALID_REQUEST),
        # Its own faults come before those of the proof, which is not run then.
        ("theorem t : x -- fake: error", {"statement": "theorem unknown_t : True := sorry"}, Reason.INVALID_REQUEST),
    ],
)
async def test_what_falls_short_gets_its_reason(proof: str, request_: dict[str, Any], reason: Reason) -> None:
    async with bench() as b:
        verdict = await run(b, proof, **request_)
        assert verdict.reason is reason, verdict.summary
        assert verdict.summary
        assert (verdict.response is None) is (reason in {Reason.POLICY, Reason.INVALID_REQUEST})
        assert (await run(b, "theorem t : True := trivial")).reason is Reason.OK


async def test_a_file_that_begins_with_module_is_audited_where_lean_can_audit_it() -> None:
    async with bench() as b:
        verdict = await run(b, "module\ntheorem t : True := trivial", statement="module\ntheorem t : True := sorry")
        assert (verdict.reason, [each.name for each in verdict.theorems]) == (Reason.OK, ["t"]), verdict.summary
        assert (await run(b, "module\ntheorem axioms_cheat : True := x")).reason is Reason.AXIOM


async def test_where_lean_cannot_audit_it_the_word_module_is_a_finding() -> None:
    async with bench() as b:
        for _ in range(2):
            verdict = await run(b, "module\nimport Old\ntheorem t : True := trivial")
            assert verdict.reason is Reason.POLICY
            assert [(each.rule, each.line) for each in verdict.findings] == [("module_file", 1)]
            assert verdict.response is None


async def test_a_header_without_lean_is_asked_with_it_in_another_process(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        for _ in range(2):
            assert (await run(b, "import Bare\ntheorem t : True := trivial")).reason is Reason.OK
    assert starts(no_process_left) == 2


@pytest.mark.parametrize("trick", ["after", "late 0.05"])
async def test_an_answer_that_nobody_asked_for_spoils_the_audit(trick: str) -> None:
    async with bench() as b:
        verdict = await run(b, f"theorem t : True := x -- fake: {trick}")
        assert verdict.reason in {Reason.PROTOCOL_VIOLATION, Reason.OK}
        assert (await run(b, "theorem axioms_cheat : True := x")).reason is Reason.AXIOM
        assert (await run(b, "theorem t : True := x")).reason is Reason.OK


@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        ("after", Reason.PROTOCOL_VIOLATION),
        ("before", Reason.PROTOCOL_VIOLATION),
        ('raw {"env": 99}', Reason.PROTOCOL_VIOLATION),
        ("unaudited", Reason.PROTOCOL_VIOLATION),
        ("exit 0", Reason.PROTOCOL_VIOLATION),
        ("signal SIGSEGV", Reason.REPL_CRASH),
        ("agrees", Reason.PROTOCOL_VIOLATION),
        ("knows", Reason.NO_THEOREM),
        (r'raw {"env": 1, "x": "\xff"}', Reason.PROTOCOL_VIOLATION),
        ("big 9000000", Reason.TOO_LARGE),
    ],
)
async def test_a_channel_that_does_not_hold_is_no_audit_and_the_next_proof_gets_its_own(
    trick: str, reason: Reason
) -> None:
    async with bench() as b:
        verdict = await run(b, f"theorem t : True := x -- fake: {trick}")
        assert verdict.reason is reason, verdict.summary
        assert (await run(b, "theorem axioms_cheat : True := x")).reason is Reason.AXIOM
        assert (await run(b, "theorem t : True := x")).reason is Reason.OK


async def test_a_proof_that_could_run_code_leaves_no_process_to_the_next(no_process_left: Path) -> None:  # noqa: F811
    harmless = Finding(rule="axiom", line=1, column=0, excerpt="axiom")
    hostile = Finding(rule="eval", line=1, column=0, excerpt="#eval")
    async with bench() as b:
        for findings, processes in (([], 1), ([harmless], 1), ([hostile], 1), ([], 2)):
            verdict = await run(b, "theorem t : True := x", assurance=Assurance.CHECKED, findings=findings)
            assert (verdict.reason, list(verdict.findings)) == (Reason.OK, findings)
            assert starts(no_process_left) == processes


async def test_at_checked_no_audit_runs() -> None:
    async with bench() as b:
        verdict = await run(b, "theorem axioms_cheat : True := x", assurance=Assurance.CHECKED)
    assert (verdict.reason, verdict.assurance, verdict.timings.audit) == (Reason.OK, Assurance.CHECKED, 0.0)
    assert list(verdict.theorems) == []
