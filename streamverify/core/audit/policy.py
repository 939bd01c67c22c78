"""The policy on tokens: it objects to a Lean file that leaves a small language in which nothing runs code of its own.

The language is in `language`, and docs/policy.md shows it on one page. Here its words are judged: of commands,
attributes and options only those of short lists of harmless ones pass, against all that Lean says that it knows (a
`Vocabulary`); of the words of terms and tactics, which yield what the kernel checks, all that do not run code or go
round the kernel. Words in strings are judged like those around them. Everything else is a finding.

Knows nothing of Lean's answers. Every function takes time linear in the text, none recurses, none raises.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamverify.core.audit.declarations import Declared, declarations
from streamverify.core.audit.language import tokens
from streamverify.core.audit.policy_check import PolicyCheck
from streamverify.core.audit.policy_rules import RULES
from streamverify.core.audit.vocabulary import Trusted, Vocabulary
from streamverify.core.audit.watched_words import watched_words
from streamverify.core.messages.models import Finding
from streamverify.core.messages.versions import is_older
from streamverify.core.syntax.header import body_of
from streamverify.core.syntax.lexer import first_offset, position, skip_blank

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.syntax.header import Header

POLICY_VERSION = "3"
"""Changes with every change of a rule or of a list of words; `Trusted.digest` follows it where a site has its own."""

# `--/` ends a comment since the end of 2022. Builds of before all say that they are 4.0.0.
_NEW_COMMENTS = "4.1.0"


def trusted_by(allowed: str, lean_version: str | None) -> Trusted:
    """Return what a worker trusts that has this setting `policy_allow` and this version of Lean, where it says one."""
    return replace(Trusted.parse(allowed), old_comments=is_older(lean_version, _NEW_COMMENTS))


class TokenizedProof:
    """The tokens of a file, read once for all that is asked of them; reading takes nine tenths of the time."""

    def __init__(self, proof: str, header: Header) -> None:
        self._proof = proof
        self._module = header.is_module
        self._body = body_of(proof, header)
        self._tokens = list(tokens(self._body))

    def check(self, vocabulary: Vocabulary) -> list[Finding]:
        """Return the findings of the function `check`."""
        read = self._tokens
        if vocabulary.trusted.old_comments and "--/" in self._body:
            read = list(tokens(self._body, old_comments=True))
        return PolicyCheck(self._proof, self._body, read, watched_words(vocabulary)).findings()

    def declared(self) -> list[Declared]:
        """Return what the file declares: theorems, definitions, types and instances, in order."""
        return declarations(self._tokens, module=self._module)


def check(proof: str, header: Header, vocabulary: Vocabulary) -> list[Finding]:
    """Return what the policy objects to in a file, in the order of the text; at most 20 findings a rule.

    Args:
        proof: The whole file.
        header: That of the file, as `parse_header` found it.
        vocabulary: What the environment of this header knows, or `SHIPPED` before it is imported.
    """
    return TokenizedProof(proof, header).check(vocabulary)


def runs_code(findings: Iterable[Finding]) -> bool:
    """Tell whether Lean may have run code of the proof that stays behind in its process."""
    return any(RULES[item.rule].runs_code for item in findings if item.rule in RULES)


def module_finding(proof: str) -> Finding:
    """Return the finding of a file that begins with `module`, for a Lean that cannot be asked for axioms in one."""
    line, column = position(proof, skip_blank(proof, first_offset(proof)))
    return Finding(rule="module_file", line=line, column=column, excerpt="module")
