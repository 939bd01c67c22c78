"""The vocabulary of each header (its commands, attributes, options, tactics), asked of Lean once and kept.

A header with too little of Lean for the query is asked again in a process of its own, with `import Lean` after it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from streamverify.core.audit.vocabulary import VOCABULARY_QUERIES, Trusted, VocabularyError, parse_vocabulary
from streamverify.core.bounded_dict import BoundedDict
from streamverify.core.messages.models import errors_in
from streamverify.core.syntax.header import parse_header
from streamverify.lean.repl.commands import ImportRejected, ask, check_channel, import_header
from streamverify.lean.repl.errors import Refused, ReplFailure, TimedOut
from streamverify.lean.repl.session import ReplSession

if TYPE_CHECKING:
    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.command import ReplCommand

MAX_VOCABULARIES = 256
"""Headers whose vocabulary is kept; the oldest makes room."""

QUERY_TIMEOUT = 60.0
"""Seconds for one query, which takes Lean a tenth of one."""

_MAX_ANSWER_BYTES = 16 << 20

_log = structlog.get_logger(__name__)


class Vocabularies:
    """The vocabularies of the headers that a pool has imported."""

    def __init__(self, command: ReplCommand, *, import_timeout: float, trusted: Trusted) -> None:
        self._command = command
        self._import_timeout = import_timeout
        self._trusted = trusted
        self._known: BoundedDict[str, Vocabulary] = BoundedDict(MAX_VOCABULARIES)
        self._one_at_a_time = asyncio.Lock()

    async def of(self, session: ReplSession, env: int, header: Header) -> Vocabulary:
        """Return the vocabulary of the environment `env` of this header.

        Raises:
            ReplFailure: Lean does not say; without the list nothing can be audited.
        """
        known = self._known.get(header.fingerprint)
        if known is None:
            found = await _query(session, env) or await self._with_lean(header)
            known = replace(found, trusted=self._trusted)
            await check_channel(session, env)
            self._known[header.fingerprint] = known
            _log.info(
                "vocabulary_listed",
                header=header.canonical[:200],
                commands=len(known.commands),
                attributes=len(known.attributes),
                options=len(known.options),
                tactics=len(known.tactics),
            )
        return known

    def known(self, header: Header) -> Vocabulary | None:
        """Return the vocabulary of this header if Lean was asked for it already."""
        return self._known.get(header.fingerprint)

    async def of_header(self, header: Header) -> Vocabulary:
        """Return the vocabulary of this header, asked of a process that lives for this question.

        Raises:
            ReplFailure: Lean does not say.
            ImportRejected: The header cannot be imported.
        """
        session = ReplSession(self._command, max_answer_bytes=_MAX_ANSWER_BYTES)
        try:
            return await self.of(session, await self._import(session, header), header)
        finally:
            await session.close()

    async def _with_lean(self, header: Header) -> Vocabulary:
        """Return the vocabulary of the header with `import Lean` after it, from a process that lives for this."""
        async with self._one_at_a_time:
            # Another slot may have asked while this one waited.
            if known := self._known.get(header.fingerprint):
                return known
            # Without `module`: there the query could not run on a private import, and a plain import brings
            # everything that one in a module brings, and more, which makes the policy stricter and nothing else.
            imports = "".join(f"import {each.module}\n" for each in header.imports)
            session = ReplSession(self._command, max_answer_bytes=_MAX_ANSWER_BYTES)
            try:
                found = await _query(session, await self._import(session, parse_header(f"{imports}import Lean\n")))
            except (ReplFailure, ImportRejected) as error:
                # This process failed, not the one of the proof: the proof's own is not to be judged by that.
                raise Refused(f"Lean was asked which commands it knows, and failed: {error}") from error
            finally:
                await session.close()
        if found is None:
            raise Refused("This Lean does not say which commands it knows: proofs can be checked, not audited.")
        return found

    async def _import(self, session: ReplSession, header: Header) -> int:
        return await import_header(session, header, timeout=self._import_timeout, ask_lean=bool(header.imports))


async def _query(session: ReplSession, env: int) -> Vocabulary | None:
    """Return the answer to the first spelling of the query that this Lean understands, if there is one."""
    for query in VOCABULARY_QUERIES:
        try:
            messages = (await ask(session, env, query, QUERY_TIMEOUT, refused=Refused)).messages
        except TimedOut as error:
            # Not the proof's time-out: it has not been run yet.
            raise Refused("Lean did not say in time which commands it knows.") from error
        if errors_in(messages):
            continue
        for each in messages:
            try:
                return parse_vocabulary(each["data"])
            except VocabularyError:
                continue
    return None
