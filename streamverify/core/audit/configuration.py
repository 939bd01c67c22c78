"""Configurations of tactics and attributes: `simp (config := { decide := true })`, `omega (splitNatSub := false)`.

Lean compiles and runs what stands there (`declare_config_elab`, `evalExpr`), so a configuration must be data: literals,
`true`, `false`, constructors by their short name (`.all`), and structures and lists of these, none of which the file
gives another meaning. What follows `disch :=` is a tactic for those in `DISCHARGED`, and judged as such.

An argument `(name := …)` is a configuration where it has one of the names in `CONFIGURATIONS`, or stands after a
tactic: a word of `CONFIGURED`, or where a tactic begins one that the environment knows as a tactic. Named arguments
of terms (`foo (n := k + 1)`) are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.audit import policy_words as words
from streamverify.core.syntax.lexer import Kind
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.syntax.lexer import Token

_FLAGS = frozenset({"only", "*", "!", "?", "+", "-"})
"""What may stand between a tactic and the brackets with its configuration, besides the name of `+name`."""

_DATA = frozenset({"{", "}", "[", "]", "(", ")", "⟨", "⟩", ",", ":=", "."})
_OPENING = frozenset({"{", "[", "(", "⟨", "@["})
_CLOSING = frozenset({"}", "]", ")", "⟩", "]'"})
# After these a tactic begins, or something that is none.
_BEFORE_TACTIC = frozenset(
    """by ; <;> · . • => | ( { in try first repeat repeat' any_goals all_goals focus iterate classical
    fail_if_success on_goal show_term says""".split()  # noqa: SIM905 -- as in lexer.KEYWORDS
)
# A name after these, or before those, is one that the file defines.
_DEFINES = frozenset(
    "def abbrev instance structure class inductive opaque constant theorem lemma alias rec where → -> let".split()  # noqa: SIM905
)
_DEFINED_BEFORE = frozenset({":", ":=", "{", "[", "⦃"})
# Classes whose instances say what a literal means, or put a function of the file between a literal and its use.
_MEANINGS = ("OfNat", "OfScientific", "NatCast", "IntCast", "Coe")
_INSTANCES = frozenset({"instance", "default_instance", "defaultInstance"})
_WORDS = (Kind.IDENTIFIER, Kind.KEYWORD)
_LITERALS = (Kind.NUMBER, Kind.STRING, Kind.CHARACTER)


class Configurations:
    """The configurations in the tokens of one file. To be asked in the order of the text; linear over a file."""

    def __init__(self, tokens: Sequence[Token], tactics: frozenset[str]) -> None:
        self._tokens = tokens
        self._tactics = tactics
        self._judged_to = 0
        # The last group that followed a tactic: where it ended, and the tactic.
        self._group = (-1, "")
        self._ends: dict[int, int] | None = None
        self._own: frozenset[str] | None = None
        self._redefined: bool | None = None

    def is_tactic(self, index: int) -> bool:
        """Whether the word at an index stands where a tactic begins: after `by`, `;` and such, or first on its line."""
        if index == 0:
            return False
        before = self._tokens[index - 1]
        if before.text == "." and before.offset + 1 == self._tokens[index].offset:
            return False
        if before.text in _BEFORE_TACTIC or before.kind is Kind.NUMBER:
            return True
        return before.line != self._tokens[index].line and before.text not in words.ASKING_FOR_MORE

    def strange(self, index: int) -> Token | None:
        """The first token that is no data in the configuration whose `:=` stands at an index; None where there is none.

        Also None where the `:=` is not that of a configuration.
        """
        tokens = self._tokens
        if index < max(2, self._judged_to) or tokens[index - 2].text != "(" or tokens[index - 1].kind not in _WORDS:
            return None
        name, tactic = tokens[index - 1].text, self._tactic(index - 3)
        if name in words.HARMLESS_ARGUMENTS or not (tactic or name in words.CONFIGURATIONS):
            return None
        end = self._end(index - 2)
        self._group = (end, tactic)
        if name in words.TACTIC_ARGUMENTS and tactic in words.DISCHARGED:
            return None
        self._judged_to = end
        return next((tokens[at] for at in range(index + 1, end) if not self._is_data(at)), None)

    def _tactic(self, index: int) -> str:
        """The tactic whose configuration follows the token at an index; empty where there is none."""
        tokens = self._tokens
        while index >= 0 and (tokens[index].text in _FLAGS or (index and tokens[index - 1].text in {"+", "-"})):
            index -= 1
        if index < 0:
            return ""
        if index == self._group[0]:
            return self._group[1]
        token = tokens[index]
        field = index > 0 and tokens[index - 1].text == "." and tokens[index - 1].offset + 1 == token.offset
        if token.kind not in _WORDS or field:
            return ""
        sure = token.text in words.CONFIGURED and token.text not in words.LIKE_TERMS
        known = sure or token.text in words.CONFIGURED or token.text in self._tactics
        return token.text if sure or (known and self.is_tactic(index)) else ""

    def _end(self, opening: int) -> int:
        """The index of the bracket that closes the one at an index, or the end."""
        if self._ends is None:
            self._ends, opened = {}, []
            for index, token in enumerate(self._tokens):
                if token.text in _OPENING:
                    opened.append(index)
                elif token.text in _CLOSING and opened:
                    self._ends[opened.pop()] = index
        return self._ends.get(opening, len(self._tokens))

    def _is_data(self, index: int) -> bool:
        token, before = self._tokens[index], self._tokens[index - 1]
        if token.kind in _LITERALS:
            return not self._gives_meaning()
        if token.kind is Kind.SYMBOL:
            return token.text in _DATA
        if index + 1 < len(self._tokens) and self._tokens[index + 1].text == ":=":
            return True  # a field
        short = before.text == "." and before.offset + 1 == token.offset
        if not short and token.text not in words.DATA_NAMES:
            return False
        return parts(token.text)[-1] not in self._own_names() and not self._gives_meaning()

    def _own_names(self) -> frozenset[str]:
        """The last parts of the names that the file defines."""
        if self._own is None:
            tokens = self._tokens
            self._own = frozenset(
                parts(token.text)[-1]
                for index, token in enumerate(tokens)
                if token.kind is Kind.IDENTIFIER
                and (
                    (index and tokens[index - 1].text in _DEFINES)
                    or (
                        index + 1 < len(tokens)
                        and tokens[index + 1].text in _DEFINED_BEFORE
                        and tokens[index - 1].text not in {"(", "."}
                    )
                )
                and parts(token.text)
            )
        return self._own

    def _gives_meaning(self) -> bool:
        """Whether the file has instances, and names a class by which they could give a literal another meaning."""
        if self._redefined is None:
            texts = {token.text for token in self._tokens if token.kind in _WORDS}
            self._redefined = not _INSTANCES.isdisjoint(texts) and any(
                parts(text)[-1:] and parts(text)[-1].startswith(_MEANINGS) for text in texts
            )
        return self._redefined
