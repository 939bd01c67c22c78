"""Finds the declarations of a Lean file, with their full names, as far as its tokens tell.

Sections and namespaces are followed as Lean follows them; what a macro or an attribute declares does not show here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.audit.language import TokenKind
from streamverify.core.syntax import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamverify.core.audit.language import Token

THEOREMS = frozenset({"theorem", "lemma"})
_DECLARES = THEOREMS | frozenset(
    "def abbrev instance structure class inductive coinductive opaque axiom irreducible_def alias".split()  # noqa: SIM905 -- as in lexer.KEYWORDS
)
_SCOPES = frozenset({"namespace", "section", "mutual"})
# Deeper than this a full name is not worked out: it would take time that is not linear in the text.
_DEEPEST = 256
# What may stand between `private` and the word that declares.
_MODIFIERS = frozenset(
    "private protected public noncomputable meta unsafe partial nonrec local scoped class".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration.

    `kind` is the word that declares it. `name` is full, without `_root_`, quoted where Lean needs it: `A.«b c»`;
    empty for an instance without a name, and at a depth of more than 256. `private` says that it
    has this modifier; `public` that other modules see it: in a file that begins with `module` only what is declared
    `public`, by itself or by a section around it, everywhere else what is not private. `line` (from 1) and `column`
    (code points, from 0) are those of `kind`.
    """

    kind: str
    name: str
    private: bool
    line: int
    column: int
    public: bool = True


def declarations(tokens: Sequence[Token], *, module: bool = False) -> list[Declared]:
    """Return all declarations of a file, from its tokens, in order; `module` says that it begins with this word."""
    return list(_DeclarationReader(tokens, module=module).read())


class _DeclarationReader:
    """One pass over the tokens.

    `scopes` has, for each level that `end` closes, the part that it adds to names, `visible` whether what stands in it
    is public; `private` and `public` are modifiers that were read and not yet used.
    """

    def __init__(self, tokens: Sequence[Token], *, module: bool) -> None:
        self.tokens = tokens
        self.module = module
        self.scopes: list[str] = []
        self.visible: list[bool] = []
        self.private = False
        self.public = False

    def read(self) -> Iterable[Declared]:
        for index, token in enumerate(self.tokens):
            word = token.text
            if word in _DECLARES and not self._mentioned(index):
                yield self._declared(index)
            elif word in _SCOPES:
                self._open(word, index)
            elif word == "end":
                self._close(index)
            elif word in _MODIFIERS:
                self.private |= word == "private"
                self.public |= word == "public"
                continue
            self.private = self.public = False

    def _mentioned(self, index: int) -> bool:
        """Tell whether a word declares nothing: an attribute, `deriving instance`, the `class` of `class inductive`."""
        before = self._text(index - 1) if index else ""
        if before in {"@[", "[", ",", "deriving", "`", "."}:
            return True
        return self.tokens[index].text == "class" and self._text(index + 1) in {"inductive", "abbrev"}

    def _open(self, word: str, index: int) -> None:
        """Follow a scope: one level for each part of its name, as `end A.B` closes two."""
        parts = self._scope_name(index) if word != "mutual" else ()
        # Only a namespace changes names; a section may have a name, too.
        inside = word == "namespace"
        self.scopes += [part if inside else "" for part in parts] or [""]
        self.visible += [self._is_visible()] * (len(parts) or 1)

    def _close(self, index: int) -> None:
        levels = len(self._scope_name(index)) or 1
        left = max(len(self.scopes) - levels, 0)
        del self.scopes[left:], self.visible[left:]

    def _is_visible(self) -> bool:
        """Tell whether the modifiers that were just read, or the sections around them, make something public."""
        if self.private:
            return False
        return not self.module or self.public or (bool(self.visible) and self.visible[-1])

    def _declared(self, index: int) -> Declared:
        """Make the declaration that the word at an index begins."""
        token, at = self.tokens[index], index + 1
        # `instance (priority := low) name` has its name after the bracket.
        if self._text(at) == "(" and self._text(at + 1) == "priority":
            at = next((end + 1 for end in range(at, at + 32) if self._text(end) == ")"), at)
        parts = self._name(at)
        full: tuple[str, ...] = ()
        if parts[:1] == ("_root_",):
            full = parts[1:]
        elif parts and len(self.scopes) <= _DEEPEST:
            full = (*filter(None, self.scopes), *parts)
        return Declared(
            token.text, names.spelled(full), self.private, token.line, token.column, public=self._is_visible()
        )

    def _scope_name(self, index: int) -> tuple[str, ...]:
        """Return the name after `namespace`, `section` or `end`, which must stand to the right of the word itself."""
        word, after = self.tokens[index], self.tokens[index + 1 : index + 2]
        return self._name(index + 1) if after and after[0].column > word.column else ()

    def _name(self, index: int) -> tuple[str, ...]:
        """Return the parts of the name at an index; none where there is no name."""
        if index >= len(self.tokens) or self.tokens[index].kind is not TokenKind.IDENTIFIER:
            return ()
        return names.parts(self.tokens[index].text)

    def _text(self, index: int) -> str:
        return self.tokens[index].text if index < len(self.tokens) else ""
