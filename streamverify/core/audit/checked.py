"""The verdict on a proof at the assurance `checked`, from Lean's answer to it; and the sentences for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.errors import at
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Reason, errors_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.messages.models import Finding, Message, Response

SENTENCE_LENGTH = 300
"""Code points of Lean's own words in an error sentence; the whole message is in the response."""

_SORRY_WARNINGS = ("declaration uses 'sorry'", "declaration uses `sorry`")
"""Lean's words for it: with apostrophes until 4.27, with backticks since."""


ACCEPTED = "Lean accepted the whole file"


def verdict_on_response(response: Response, findings: Sequence[Finding] = ()) -> Verdict:
    """Return the verdict on a proof by Lean's answer to its body, with one sentence for people.

    An error message anywhere is `lean_error`; else a `sorry` anywhere is `sorry`. The list of sorries alone is no
    evidence of their absence: terms that come down to one are only warned about.

    Args:
        response: Lean's answer.
        findings: What the policy found, which rejects nothing here; the sentence about an accepted file says it.
    """
    errors = errors_in(response.messages)
    if errors:
        return Verdict(Reason.LEAN_ERROR, first_error(errors), response)
    # The list goes first: it is exact, and a warning may be switched off.
    if response.sorries:
        return Verdict(Reason.SORRY, "The proof uses sorry.", response)
    for message in response.messages:
        # Lean's own warning begins with these words; a linter or a `#print` may have them further on.
        if message["severity"] == "warning" and message["data"].lstrip().startswith(_SORRY_WARNINGS):
            return Verdict(Reason.SORRY, f"The declaration at {_place(message)} uses sorry.", response)
    warned = f"; an audit would reject it: {objection(findings)}" if findings else ", without error and without sorry."
    return Verdict(Reason.OK, ACCEPTED + warned, response)


def objection(findings: Sequence[Finding]) -> str:
    """Return the sentence about the policy's findings: place and excerpt of the first, and how many more there are."""
    first, more = findings[0], len(findings) - 1
    others = f" (and {more} more finding{'s' if more > 1 else ''})" if more else ""
    return f"{at(first.line, first.column)}: the policy objects to {first.excerpt} ({first.rule}){others}"


def first_error(errors: Sequence[Message]) -> str:
    """Return the sentence about Lean's errors: place and words of the first, on one line, and the number of others."""
    words = " ".join(errors[0]["data"].split())
    if len(words) > SENTENCE_LENGTH:
        words = words[: SENTENCE_LENGTH - 1] + "…"
    # The first is the one to look at: what follows it is often its consequence.
    more = len(errors) - 1
    others = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
    return f"{_place(errors[0])}: {words}{others}"


def _place(message: Message) -> str:
    return at(message["pos"]["line"], message["pos"]["column"])
