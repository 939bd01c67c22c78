"""The audit of one proof in a running REPL: the part before its body is run, and the part after.

Before: the policy with the vocabulary that Lean itself lists, and the statement, elaborated beside the proof. After:
axioms, types and kinds of its theorems, the comparison with the statement, and, before a positive is believed, the
questions that only a process which proves can answer. `core.audit` decides what the answers mean.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.audit.axioms import (
    ask_for_private_prefix,
    audit_of,
    read_private_prefix,
    theorems_to_audit,
    verdict_on_theorems,
)
from streamverify.core.audit.checked import first_error, objection
from streamverify.core.audit.declarations import THEOREMS
from streamverify.core.audit.policy import TokenizedProof, module_finding
from streamverify.core.audit.statement import (
    MAX_CONSTANTS,
    BadStatement,
    ComparedConstant,
    Mismatch,
    Statement,
    ask_for_kinds,
    cannot_be_asked,
    first_mismatch,
    look_up,
    look_up_imitations,
    print_in_full,
    read_statement,
    refuse_hidden,
    unreadable,
)
from streamverify.core.audit.vocabulary import SHIPPED, Trusted
from streamverify.core.bounded_dict import BoundedDict
from streamverify.core.job import Verdict
from streamverify.core.messages import jsontext
from streamverify.core.messages.models import Finding, Reason, errors_in
from streamverify.core.syntax.header import body_of
from streamverify.lean.repl.commands import ask, check_channel, check_prover
from streamverify.lean.vocabularies import Vocabularies

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from streamverify.core.audit.declarations import Declared
    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.job import Job
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.command import ReplCommand
    from streamverify.lean.repl.session import ReplSession

MAX_STATEMENTS = 1_000
"""Statements that are kept as Lean printed them; the oldest makes room."""

MAX_MODULE_HEADERS = 256
"""Headers that begin with `module` of which is kept how to audit in them; the oldest makes room."""

_MAX_EXCERPT = 4_000


class Ready(NamedTuple):
    """The outcome of the first part of an audit, for the second.

    `declared` are the declarations of the file, `options` the options that Lean knows. `private_prefix` is the text
    that Lean puts before the names that a file which begins with `module` does not make public.

    `asked` (the statement as Lean prints it) is None where the request has no statement, or one under another header.
    """

    declared: Sequence[Declared]
    options: Collection[str]
    statement: Statement | None
    asked: Mapping[str, ComparedConstant] | None
    private_prefix: str = ""


class _Asking(NamedTuple):
    """The place and the terms of the questions about a statement.

    `env` is the environment of the header, `made` the one after the statement.
    """

    session: ReplSession
    env: int
    made: int
    options: Collection[str]
    timeout: float
    private_prefix: str


class Auditor:
    """Audits the proofs of a pool; keeps the vocabularies of headers, and statements as Lean printed them."""

    def __init__(self, command: ReplCommand, *, import_timeout: float, trusted: Trusted) -> None:
        self.vocabularies = Vocabularies(command, import_timeout=import_timeout, trusted=trusted)
        self._asked: BoundedDict[tuple[str, bytes], dict[str, ComparedConstant]] = BoundedDict(MAX_STATEMENTS)
        # For each header that begins with `module`, what Lean puts before private names; None: no audit is possible.
        self._private_prefixes: BoundedDict[str, str | None] = BoundedDict(MAX_MODULE_HEADERS)

    async def before(self, session: ReplSession, env: int, job: Job, timeout: float) -> Ready | Verdict:
        """Look at a proof in its header's environment before it is run.

        Returns:
            What `after` needs, or the verdict on a proof that is not to be run at all.

        Raises:
            ReplFailure: There is no answer, or none that can be believed.
        """
        vocabulary = await self.vocabularies.of(session, env, job.header)
        private_prefix = await self._private_prefix(session, env, job.header, timeout)
        if private_prefix is None:
            found = [module_finding(job.request.proof)]
            return Verdict(Reason.POLICY, objection(found), findings=found)
        try:
            statement, asked = await self._statement(session, env, job, (vocabulary, private_prefix), timeout)
        except BadStatement as error:
            return Verdict(Reason.INVALID_REQUEST, error.sentence)
        reading = TokenizedProof(job.request.proof, job.header)
        # The intake has read the proof with the shipped vocabulary. Only a Lean that knows more can make a difference.
        if not _covers(SHIPPED, vocabulary) and (found := reading.check(vocabulary)):
            return Verdict(Reason.POLICY, objection(found), findings=found)
        return Ready(reading.declared(), vocabulary.options, statement, asked, private_prefix)

    async def _private_prefix(self, session: ReplSession, env: int, header: Header, timeout: float) -> str | None:
        """Ask, once a header, what Lean puts before private names in a file that begins with `module`.

        Returns:
            "" for any other file; None where this Lean does not tell the axioms of a theorem in such a file.
        """
        if not header.is_module:
            return ""
        if header.fingerprint not in self._private_prefixes:
            response = await ask(session, env, ask_for_private_prefix(), timeout)
            await check_channel(session, env)
            self._private_prefixes[header.fingerprint] = read_private_prefix(response.messages)
        return self._private_prefixes[header.fingerprint]

    async def _statement(
        self, session: ReplSession, env: int, job: Job, known: tuple[Vocabulary, str], timeout: float
    ) -> tuple[Statement | None, Mapping[str, ComparedConstant] | None]:
        """Read the statement of the request, and have Lean print it once for all proofs of it."""
        vocabulary, private_prefix = known
        text = job.request.statement
        if text is None:
            return None, None
        statement = read_statement(text, vocabulary)
        if statement.header.fingerprint != job.header.fingerprint:
            return statement, None
        key = (job.header.fingerprint, hashlib.sha256(text.encode()).digest())
        asked = self._asked.get(key)
        if asked is None:
            # In an environment of its own: nothing of the statement can be used in the proof.
            response = await ask(session, env, body_of(statement.text, statement.header), timeout)
            errors = errors_in(response.messages)
            if errors:
                raise BadStatement(first_error(errors))
            asking = _Asking(session, env, response.env or 0, vocabulary.options, timeout, private_prefix)
            asked = await _print_statement(asking, statement)
            await check_channel(session, env)
            self._asked[key] = asked
        return statement, asked

    async def after(self, session: ReplSession, env: int, job: Job, ready: Ready, timeout: float) -> Verdict:
        """Audit a proof that Lean accepted, in the environment after it; the channel is to be checked afterwards.

        Raises:
            ReplFailure: There is no answer, or none that can be believed.
        """
        statement = ready.statement
        declared = [each for each in ready.declared if each.kind in THEOREMS]
        names, missing = theorems_to_audit(declared, job.request.theorem)
        # Asked for in one command, and judged apart: those of the proof first.
        wanted = [*names, *(statement.theorems if statement else ())]
        audit = audit_of(wanted, ready.options, ready.private_prefix)
        theorems = audit.theorems((await ask(session, env, audit.text, timeout)).messages) if audit.lines else []
        verdict = verdict_on_theorems(theorems, names)
        # An axiom comes first: it says more of the file than that the theorem which was asked for is not in it.
        if verdict.reason is Reason.OK and missing:
            verdict = replace(verdict, reason=Reason.NO_THEOREM, summary=missing)
        if verdict.reason is not Reason.OK or statement is None:
            return verdict
        mismatch = replace(verdict, reason=Reason.STATEMENT_MISMATCH)
        if ready.asked is None:
            return replace(mismatch, summary="The statement has another header than the proof.")
        proved = await _print_proved(session, env, ready, timeout)
        differs = first_mismatch(ready.asked, proved)
        if differs is None:
            return verdict_on_theorems(theorems, statement.theorems)
        return replace(mismatch, summary=differs.sentence(), findings=[_finding(differs, ready.declared)])

    async def confirm(self, session: ReplSession, env: int, positive: Verdict) -> Verdict:
        """Believe a positive only of a process that proves, and about theorems that the header does not know.

        Args:
            session: The session.
            env: The environment of the header.
            positive: What `after` said.

        Raises:
            ReplFailure: The channel did not hold, or the process does not prove.
        """
        # The last question of an audit: a proof that ran code might answer those before it in Lean's place.
        known = await check_prover(session, env, [theorem.name for theorem in positive.theorems])
        if known is None:
            return positive
        return Verdict(Reason.NO_THEOREM, f"{known[:200]} is no theorem of the file: the header has it.")


async def _print_statement(asking: _Asking, statement: Statement) -> dict[str, ComparedConstant]:
    """Have Lean print the declarations of a statement, and all constants of its own that they reach.

    Raises:
        BadStatement: It makes too much, or reaches something that cannot be asked for or read.
        ReplFailure: There is no answer, or none that can be believed.
    """
    session, _, made, options, timeout, private_prefix = asking
    printed: dict[str, ComparedConstant] = {}
    seen: set[str] = set()
    wanted: Collection[str] = [*statement.theorems, *statement.others]
    # Breadth first: what is printed mentions constants, of which those that the header does not know are printed next.
    while wanted:
        question = ask_for_kinds(wanted, options, private_prefix)
        kinds = question.found((await ask(session, made, question.text, timeout)).messages)
        if unknown := [name for name in wanted if name not in kinds]:
            raise cannot_be_asked(unknown[0])
        printing = print_in_full(kinds, options, private_prefix)
        found = printing.printed((await ask(session, made, printing.text, timeout)).messages)
        for name in wanted:
            if name not in found:
                raise cannot_be_asked(name)
            if found[name].unreadable:
                raise unreadable(name, found[name].unreadable)
        printed |= found
        if len(printed) > MAX_CONSTANTS:
            raise BadStatement(f"it makes more than {MAX_CONSTANTS} constants")
        new = {name for constant in found.values() for name in constant.mentions} - seen - printed.keys()
        seen |= new
        refuse_hidden(new, private_prefix)
        wanted = await _not_in_header(asking, new)
    # The words of the file do not decide: Lean itself must call each of them a theorem.
    if lost := [name for name in statement.theorems if printed[name].kind != "theorem"]:
        raise BadStatement(f"Lean knows no theorem {lost[0]} after it")
    return printed


async def _not_in_header(asking: _Asking, names: Collection[str]) -> list[str]:
    """Return those of `names` that the header does not know: the statement's own."""
    # What is private to the file is never the header's, even if it has a constant of the same name.
    question = look_up(sorted(name for name in names if not name.startswith("_private.")), asking.options)
    response = await ask(asking.session, asking.env, question.text, asking.timeout)
    return sorted(set(names) - question.known(response.messages))


async def _print_proved(session: ReplSession, env: int, ready: Ready, timeout: float) -> dict[str, ComparedConstant]:
    """Have Lean print the constants of a statement after the proof; none where the print can be an imitation."""
    asked = ready.asked or {}
    kinds = {name: constant.kind.rpartition(" ")[2] for name, constant in asked.items()}
    # By the kinds of the statement: where the proof has another kind, the answers differ, and so do the constants.
    printing = print_in_full(kinds, ready.options, ready.private_prefix)
    proved = printing.printed((await ask(session, env, printing.text, timeout)).messages)
    imitations = look_up_imitations(proved.values(), ready.options)
    if imitations.not_ruled_out((await ask(session, env, imitations.text, timeout)).messages):
        return {}
    return proved


def _covers(larger: Vocabulary, smaller: Vocabulary) -> bool:
    return (
        smaller.commands <= larger.commands
        and smaller.attributes <= larger.attributes
        and smaller.options <= larger.options
        and smaller.tactics <= larger.tactics
    )


def _finding(differs: Mismatch, declared: Sequence[Declared]) -> Finding:
    # The constant itself, or the declaration that made it: `A.rec` stands where `A` is declared.
    at = next((each for each in declared if each.name and f"{differs.name}.".startswith(f"{each.name}.")), None)
    return Finding(
        rule=Reason.STATEMENT_MISMATCH,
        line=at.line if at else 1,
        column=at.column if at else 0,
        excerpt=jsontext.cut(differs.excerpt(), _MAX_EXCERPT),
    )
