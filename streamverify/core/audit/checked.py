"""What Lean's answer to a whole file says about the proof, at the assurance `checked`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.errors import at
from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.messages.models import Finding, Message, Response

SENTENCE_LENGTH = 300
"""Code points of Lean's own words in an error sentence; the whole message is in the response."""

_SORRY_WARNINGS = ("declaration uses 'sorry'", "declaration uses `sorry`")
"""How Lean words it: with apostrophes until 4.27, with backticks since."""


def judge(response: Response) -> tuple[Reason, str | None]:
    """The reason and, where it is not `ok`, one sentence for people.

    An error message anywhere is `lean_error`; else a `sorry` anywhere is `sorry`. The list of sorries alone is no
    evidence of their absence: terms that come down to one are only warned about.
    """
    errors = [message for message in response.messages if message["severity"] == "error"]
    if errors:
        return Reason.LEAN_ERROR, first_error(errors)
    if response.sorries:
        return Reason.SORRY, "The proof uses sorry."
    for message in response.messages:
        if message["severity"] == "warning" and message["data"].lstrip().startswith(_SORRY_WARNINGS):
            return Reason.SORRY, f"The declaration at {_place(message)} uses sorry."
    return Reason.OK, None


def objection(findings: Sequence[Finding]) -> str:
    """Where the first of the policy's findings is and what stands there, and how many more there are."""
    first, more = findings[0], len(findings) - 1
    others = f" (and {more} more finding{'s' if more > 1 else ''})" if more else ""
    return f"{at(first.line, first.column)}: the policy objects to {first.excerpt} ({first.rule}){others}"


def first_error(errors: Sequence[Message]) -> str:
    """Where the first of `errors` is and what it says, on one line, and how many more there are."""
    words = " ".join(errors[0]["data"].split())
    if len(words) > SENTENCE_LENGTH:
        words = words[: SENTENCE_LENGTH - 1] + "…"
    more = len(errors) - 1
    others = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
    return f"{_place(errors[0])}: {words}{others}"


def _place(message: Message) -> str:
    return at(message["pos"]["line"], message["pos"]["column"])
