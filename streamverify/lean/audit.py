"""The audit of one proof in a running REPL: what comes before its body is run, and what comes after.

Before: the policy with what Lean itself says that it knows, and the statement, elaborated beside the proof. After:
axioms and types of its theorems, and the comparison with the statement. What the answers mean is `core`'s business.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core import jsontext
from streamverify.core.audit import audit_of, judge_theorems, theorems_to_audit
from streamverify.core.header import body_of
from streamverify.core.judge import first_error, objection
from streamverify.core.models import Finding, Reason
from streamverify.core.policy import SHIPPED, THEOREMS, Reading, Trusted
from streamverify.core.statement import (
    MOST_CONSTANTS,
    BadStatement,
    Difference,
    Statement,
    difference,
    look_up,
    mentioned,
    print_in_full,
    read_statement,
)
from streamverify.lean.failures import ChannelBroken
from streamverify.lean.protocol import decode_answer, encode_command, read_response
from streamverify.lean.verify import check_channel
from streamverify.lean.vocabularies import Vocabularies

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from streamverify.core.jobs import Job
    from streamverify.core.models import Response, Theorem
    from streamverify.core.policy import Declared, Vocabulary
    from streamverify.lean.command import ReplCommand
    from streamverify.lean.session import ReplSession

MOST_STATEMENTS = 1_000
"""Statements that are kept as Lean printed them; the oldest makes room."""

_MOST_EXCERPT = 4_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the audit says of a proof."""

    reason: Reason
    error: str | None = None
    theorems: Sequence[Theorem] = ()
    findings: Sequence[Finding] = ()


class Ready(NamedTuple):
    """What the second half of an audit needs of the first.

    `declared` is what the file declares, `options` are those that Lean knows.

    `asked` (the statement as Lean prints it) is None where the request has no statement, or one under another header.
    """

    declared: Sequence[Declared]
    options: Collection[str]
    statement: Statement | None
    asked: Mapping[str, str] | None


class Auditor:
    """What the audits of a pool share: vocabularies, and statements that were elaborated before."""

    def __init__(self, command: ReplCommand, *, import_timeout: float, trusted: Trusted) -> None:
        self._vocabularies = Vocabularies(command, import_timeout=import_timeout, trusted=trusted)
        self._asked: dict[tuple[str, bytes], dict[str, str]] = {}

    async def before(self, session: ReplSession, env: int, job: Job, timeout: float) -> Ready | Judgement:
        """Look at a proof in its header's environment before it is run: ready, or why it is not to be run at all.

        Raises:
            ReplFailure: There is no answer, or none that can be believed.
        """
        vocabulary = await self._vocabularies.of(session, env, job.header)
        try:
            statement, asked = await self._statement(session, env, job, vocabulary, timeout)
        except BadStatement as error:
            return Judgement(Reason.INVALID_REQUEST, error.sentence)
        reading = Reading(job.request.proof, job.header)
        if not _covers(SHIPPED, vocabulary) and (found := reading.check(vocabulary)):
            return Judgement(Reason.POLICY, objection(found), findings=found)
        return Ready(reading.declared(), vocabulary.options, statement, asked)

    async def _statement(
        self, session: ReplSession, env: int, job: Job, vocabulary: Vocabulary, timeout: float
    ) -> tuple[Statement | None, Mapping[str, str] | None]:
        text = job.request.statement
        if text is None:
            return None, None
        statement = read_statement(text, vocabulary)
        if statement.header.fingerprint != job.header.fingerprint:
            return statement, None
        key = (job.header.fingerprint, hashlib.sha256(text.encode()).digest())
        asked = self._asked.get(key)
        if asked is None:
            asked = await _print_statement(session, env, statement, vocabulary.options, timeout)
            await check_channel(session, env)
            if len(self._asked) >= MOST_STATEMENTS:
                del self._asked[next(iter(self._asked))]
            self._asked[key] = asked
        return statement, asked

    async def after(self, session: ReplSession, env: int, job: Job, ready: Ready, timeout: float) -> Judgement:
        """Audit a proof that Lean accepted, in the environment after it; the channel is to be checked afterwards.

        Raises:
            ReplFailure: There is no answer, or none that can be believed.
        """
        statement = ready.statement
        declared = [each for each in ready.declared if each.kind in THEOREMS]
        names, missing = theorems_to_audit(declared, job.request.theorem)
        audit = audit_of([*names, *(statement.theorems if statement else ())], ready.options)
        theorems = audit.theorems((await _ask(session, env, audit.text, timeout)).messages) if audit.lines else []
        reason, error = judge_theorems(theorems, names)
        if reason is Reason.OK and missing:
            reason, error = Reason.NO_THEOREM, missing
        if reason is not Reason.OK or statement is None:
            return Judgement(reason, error, theorems)
        if ready.asked is None:
            return Judgement(Reason.STATEMENT_MISMATCH, "The statement has another header than the proof.", theorems)
        printing = print_in_full(ready.asked, ready.options)
        proved = printing.printed((await _ask(session, env, printing.text, timeout)).messages)
        differs = difference(ready.asked, proved)
        if differs is None:
            return Judgement(Reason.OK, None, theorems)
        return Judgement(Reason.STATEMENT_MISMATCH, differs.sentence(), theorems, [_finding(differs, ready.declared)])


async def _print_statement(
    session: ReplSession, env: int, statement: Statement, options: Collection[str], timeout: float
) -> dict[str, str]:
    """How Lean prints what a statement makes: its declarations, and whatever else of its own they mention.

    Raises:
        BadStatement: It does not elaborate, or makes too much.
        ReplFailure: There is no answer, or none that can be believed.
    """
    response = await _ask(session, env, body_of(statement.text, statement.header), timeout)
    errors = [each for each in response.messages if each["severity"] == "error"]
    if errors:
        raise BadStatement(first_error(errors))
    made = response.env or 0
    printed: dict[str, str] = {}
    seen: set[str] = set()
    wanted: Collection[str] = [*statement.theorems, *statement.others]
    while wanted:
        printing = print_in_full(wanted, options)
        found = printing.printed((await _ask(session, made, printing.text, timeout)).messages)
        printed |= found
        if lost := [name for name in statement.theorems if name not in printed]:
            raise BadStatement(f"Lean knows no theorem {lost[0]} after it")
        if len(printed) > MOST_CONSTANTS:
            raise BadStatement(f"it makes more than {MOST_CONSTANTS} constants")
        new = mentioned(found.values()) - seen - printed.keys()
        seen |= new
        wanted = await _own(session, (env, made), new, options, timeout)
    return printed


async def _own(
    session: ReplSession, envs: tuple[int, int], names: Collection[str], options: Collection[str], timeout: float
) -> list[str]:
    """Those of `names` that are constants in the second environment and not yet in the first."""
    before = look_up(sorted(names), options)
    old = before.known((await _ask(session, envs[0], before.text, timeout)).messages)
    after = look_up(sorted(set(names) - old), options)
    return sorted(after.known((await _ask(session, envs[1], after.text, timeout)).messages)) if after.lines else []


async def _ask(session: ReplSession, env: int, command: str, timeout: float) -> Response:
    answer = decode_answer(await session.ask(encode_command(command, env=env), timeout))
    if answer.refusal is not None:
        # It knows every environment that it answered with itself.
        raise ChannelBroken(f"The REPL refused the audit: {answer.refusal}")
    return read_response(answer, 0.0)


def _covers(larger: Vocabulary, smaller: Vocabulary) -> bool:
    return (
        smaller.commands <= larger.commands
        and smaller.attributes <= larger.attributes
        and smaller.options <= larger.options
        and smaller.tactics <= larger.tactics
    )


def _finding(differs: Difference, declared: Sequence[Declared]) -> Finding:
    at = next((each for each in declared if each.name and f"{differs.name}.".startswith(f"{each.name}.")), None)
    return Finding(
        rule=Reason.STATEMENT_MISMATCH,
        line=at.line if at else 1,
        column=at.column if at else 0,
        excerpt=jsontext.cut(differs.excerpt(), _MOST_EXCERPT),
    )
