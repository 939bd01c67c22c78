"""The configurations of tactics and attributes, which Lean compiles and runs: they must be data. Pure.

`language` says what the tokens are, and the policy what the words around a configuration mean.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.language import CLOSING, OPENING, WORDS, TokenKind
from streamverify.core.syntax.lexer import KEYWORDS
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.audit.language import Token

_FLAGS = frozenset({"only", "*", "!", "?", "+", "-"})
"""What may stand between a tactic and the brackets with its configuration, besides the name of `+name`."""

_DATA = frozenset({"{", "}", "[", "]", "(", ")", "⟨", "⟩", ",", ":=", "."})
_LITERALS = (TokenKind.NUMBER, TokenKind.STRING, TokenKind.CHARACTER)
# After these a tactic may begin.
_BEFORE_TACTIC = frozenset(
    """by ; <;> · . • => | ( { in try first repeat repeat' repeat1 repeat1' any_goals all_goals focus iterate classical
    fail_if_success success_if_fail fail_if_no_progress on_goal show_term says with then else decreasing_by
    decreasing_with using solve next checkpoint save with_reducible with_reducible_and_instances with_unfolding_all
    with_unfolding_none""".split()  # noqa: SIM905 -- a list literal of as many words is a page
)
# A name after these is used, and not defined; anything else may define it, as `def`, `where`, a list of attributes do.
_BEFORE_USE = frozenset(":= = ≠ == != ( [ , => ↦ ∧ && || <| | ⟨ . exact".split())  # noqa: SIM905 -- as there
# But for `,`, where one of these follows: `let rec a := 1, b := 2` defines both.
_AFTER_DEFINED = frozenset({":", ":=", "{", "[", "(", "⦃"})
_INSTANCES = frozenset({"instance", "default_instance", "defaultInstance", "deriving"})


class Configurations:
    """The configurations of tactics and attributes in one file: `simp (config := { … })`, `omega (… := false)`.

    Lean compiles and runs what stands there (`declare_config_elab`, `evalExpr`), so a configuration must be data:
    literals, `true`, `false`, constructors by their short name (`.all`), and structures and lists of these. No name
    that the file may define is, and where the file makes instances, which say what a literal is, no literal is. What
    follows `disch :=` is a tactic for those in `words.DISCHARGED`, and judged as such.

    An argument `(name := …)` is a configuration where it has one of the names in `words.CONFIGURATIONS`, or where it
    stands after a tactic (a word of `words.CONFIGURED`, or one that the environment knows as such), after a keyword, or
    after another configuration. Elsewhere it is a named argument of a term: `foo (n := k + 1)`. To be asked in the
    order of the text; linear over a file.
    """

    def __init__(self, tokens: Sequence[Token], tactics: frozenset[str]) -> None:
        self._tokens = tokens
        self._tactics = tactics
        self._judged_to = 0
        # The last group that followed a tactic: where it ended, and the tactic.
        self._group = (-1, "")

    def is_tactic(self, index: int) -> bool:
        """Tell whether the word at an index may be a tactic: it is after `by`, `;` and such, or first on its line."""
        if index == 0:
            return False
        before = self._tokens[index - 1]
        # `h.trace` is a field of a term, whatever its name.
        if before.text == "." and before.offset + 1 == self._tokens[index].offset:
            return False
        if before.text in _BEFORE_TACTIC or before.kind is TokenKind.NUMBER:
            return True
        return before.line != self._tokens[index].line and before.text not in words.ASKING_FOR_MORE

    def strange(self, index: int) -> Token | None:
        """Look at the configuration whose `:=` stands at an index.

        Returns:
            Its first token that is no data; None where all of it is, or where the `:=` is not that of a configuration.
        """
        tokens = self._tokens
        if index < max(2, self._judged_to) or tokens[index - 2].text != "(" or tokens[index - 1].kind not in WORDS:
            return None
        name, tactic = tokens[index - 1].text, self._tactic(index - 3)
        if not (tactic or name in words.CONFIGURATIONS):
            return None
        end = self._ends.get(index - 2, len(tokens))
        # Further ones may follow, whatever this one is.
        self._group = (end, tactic)
        if name in words.HARMLESS_ARGUMENTS or (name in words.TACTIC_ARGUMENTS and tactic in words.DISCHARGED):
            return None
        self._judged_to = end
        return next((tokens[at] for at in range(index + 1, end) if not self._is_data(at)), None)

    def _tactic(self, index: int) -> str:
        """Return the tactic whose configuration follows the token at an index; empty where there is none."""
        tokens = self._tokens
        while index >= 0 and (tokens[index].text in _FLAGS or (index and tokens[index - 1].text in {"+", "-"})):
            index -= 1
        if index < 0:
            return ""
        if index == self._group[0]:
            return self._group[1]
        token = tokens[index]
        field = index > 0 and tokens[index - 1].text == "." and tokens[index - 1].offset + 1 == token.offset
        if token.kind not in WORDS or field or token.text in words.LEMMAS_AND_TACTICS:
            return ""
        known = token.text in words.CONFIGURED or token.text in self._tactics or token.text in KEYWORDS
        return token.text if known else ""

    @cached_property
    def _ends(self) -> dict[int, int]:
        """For the index of each opening bracket, that of the one that closes it."""
        ends: dict[int, int] = {}
        opened: list[int] = []
        for index, token in enumerate(self._tokens):
            if token.text in OPENING:
                opened.append(index)
            elif token.text in CLOSING and opened:
                ends[opened.pop()] = index
        return ends

    def _is_data(self, index: int) -> bool:
        token, before = self._tokens[index], self._tokens[index - 1]
        if token.kind in _LITERALS:
            # An instance of the file's own (`OfNat Nat 7`) would be run to get the literal's value.
            return not self._has_instances
        if token.kind is TokenKind.SYMBOL:
            return token.text in _DATA
        if index + 1 < len(self._tokens) and self._tokens[index + 1].text == ":=":
            return True  # a field
        # `.all` is a constructor of the option's type; a bare name could be that of any term.
        short = before.text == "." and before.offset + 1 == token.offset
        if not short and token.text not in words.DATA_NAMES:
            return False
        return parts(token.text)[-1] not in self._own_names and not self._has_coercions

    @cached_property
    def _own_names(self) -> frozenset[str]:
        """The last parts of the names that the file may define, by what stands beside them."""
        own: set[str] = set()
        for before, token, after in zip(self._tokens, self._tokens[1:], [*self._tokens[2:], None], strict=False):
            used = before.text in _BEFORE_USE
            if before.text == "," and after is not None and after.text in _AFTER_DEFINED:
                used = False
            if not used and token.kind is TokenKind.IDENTIFIER:
                own.update(parts(token.text)[-1:])
        return frozenset(own)

    @cached_property
    def _has_instances(self) -> bool:
        return any(not _INSTANCES.isdisjoint(parts(token.text)) for token in self._tokens if token.kind in WORDS)

    @cached_property
    def _has_coercions(self) -> bool:
        """True if the file may put a function of its own between a name and its use."""
        return self._has_instances and any(
            last.startswith("Coe") for token in self._tokens if token.kind in WORDS for last in parts(token.text)[-1:]
        )
