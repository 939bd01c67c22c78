"""A constant as Lean prints it under `pp.all`, up to the names of its bound variables and universe parameters. Pure.

The grammar of such text is small: applications, `fun`, dependent and plain arrows, `∀`, `let` and `have`, sorts,
literals and projections; notation, `match` and structure instances are switched off (`axioms.EXPLICIT`). This
module reads all of it or refuses: two texts with the same `Printed.text` are the same term. It knows nothing of what is
asked of Lean.

What is made alike, because only a name makes the difference:

- a bound variable is the number of binders around its own (a de Bruijn level), a universe parameter the number of
  those that come before it in the text;
- `(x y : A)` is `(x : A) (y : A)`: Lean puts binders of one type together, but not those whose name it leaves out;
- `∀ (h : A), B`, `(h : A) → B` and `A → B` are the same term: Lean leaves out a name that is not used and that
  nobody gave.

Every function takes time linear in the text, and none recurses.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamverify.core.audit.canonical import CanonicalText
from streamverify.core.audit.printed_tokens import (
    SYNTAX_WORDS,
    Cursor,
    is_binder_name,
    is_name,
    tokens,
    unexpected,
)

_CLOSER = {"(": ")", "{": "}", "[": "]", "⦃": "⦄"}
_CLOSERS = frozenset(_CLOSER.values())
_BINDERS_END = {"fun": ("=>", "↦"), "∀": (",",)}
_LETS = frozenset({"let", "have", "let_fun"})
# The only words of the grammar that are tokens of a term by themselves.
_WORDS = frozenset({"Prop", "nat_lit"})
_SORTS = frozenset({"Type", "Sort"})
GRAMMAR_WORDS = ("Prop", "Type", "Sort", "nat_lit", "fun", *sorted(_LETS))
"""The words that are read as syntax: Lean of 2021 prints a constant `«Prop»` without its quotes."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A term as Lean printed it: equal `text` means equal terms; `constants` are the names of all constants in it.

    `#2` in the text is a bound variable: that of the binder with two binders around it; `%0` is a universe parameter.
    `rooted` are those of the constants that Lean printed with `_root_` before them, because a variable has the name;
    `text` is without it. In a `namespace _root_` a file can declare a constant that Lean prints alike (seen on 4.35).
    """

    text: str
    constants: frozenset[str]
    rooted: frozenset[str]


def read_printed(text: str) -> Printed:
    """Read what Lean printed of a constant after its name: `.{u} : type`, and for a definition ` := value`.

    Raises:
        UnreadableError: Lean printed something that is not in the grammar, or left something out.
    """
    return _TermReader(tokens(text)).read()


class _Universes:
    """Reads universe levels. A parameter is the number of those that come before it in the text."""

    def __init__(self, cursor: Cursor, out: list[str | int]) -> None:
        self._cursor = cursor
        self._out = out
        self._parameters: dict[str, str] = {}

    def read_list(self) -> None:
        """Read `.{u, v+1}`, those that a constant is applied to."""
        self._cursor.expect(".{")
        self._out.append(".{")
        depth = 1
        while depth:
            depth += self._token("}")

    def read_one(self) -> None:
        """Read a number, a parameter, or a term in parentheses."""
        depth = self._token(")")
        while depth > 0:
            depth += self._token(")")

    def _token(self, closer: str) -> int:
        """Read one token of a universe; return by how much it goes deeper."""
        lexeme = self._cursor.next()
        if lexeme in {"(", ")", ",", "+", "max", "imax"} or lexeme == closer or lexeme.isdigit():
            self._out.append(lexeme)
        elif is_binder_name(lexeme):
            self._out.append(self._parameters.setdefault(lexeme, f"%{len(self._parameters)}"))
        else:
            raise unexpected(lexeme)
        return (lexeme == "(") - (lexeme in {")", "}"})


class _TermReader:
    """One pass over the tokens: the grammar. What they come to is written by `CanonicalText`."""

    def __init__(self, tokens: list[str]) -> None:
        self.cursor = Cursor(tokens)
        self.text = CanonicalText(len(tokens))
        self.universes = _Universes(self.cursor, self.text.tokens)
        self.constants: set[str] = set()
        self.rooted: set[str] = set()

    def read(self) -> Printed:
        self.text.open("text")
        if self.cursor.peek() == ".{":
            self.universes.read_list()
        self.cursor.expect(":")
        self.text.tokens.append(":")
        self.text.begin_operand()
        while lexeme := self.cursor.next():
            # Between `fun` and `=>` there are binders and nothing else; everywhere else there is a term.
            if self.text.inner.kind in _BINDERS_END:
                self._binders(lexeme)
            else:
                self._term(lexeme)
            self.text.check_size()
        if not self.text.is_whole:
            raise unexpected("")
        return Printed(str(self.text), frozenset(self.constants), frozenset(self.rooted))

    def _binders(self, lexeme: str) -> None:
        """Read a token of the binders: between `fun` and `=>`, or `∀` and `,`."""
        kind = self.text.inner.kind
        # `∀ (x : A), B` becomes what `(x : A) → B` becomes: each binder is followed by its arrow.
        if lexeme in _CLOSER and self.cursor.opens_binder(lexeme):
            self._open_binder(lexeme, arrow=kind == "∀")
        elif lexeme in _BINDERS_END[kind]:
            self.text.end_binders()
            if kind == "fun":
                self.text.tokens.append("=>")
            self.text.begin_operand()
        else:
            raise unexpected(lexeme)

    def _term(self, lexeme: str) -> None:
        """Read a token of a term: most of them are its atoms."""
        if lexeme in _CLOSERS:
            self._close(lexeme)
        elif lexeme == "→":
            self._expect_term_before(lexeme)
            self.text.arrow()
        elif lexeme in {"fun", "λ", "∀"}:
            # `∀` leaves no token of its own: its binders become those of arrows.
            self.text.atom("" if lexeme == "∀" else "fun")
            self.text.open("fun" if lexeme == "λ" else lexeme)
        elif lexeme in _LETS:
            self._let(lexeme)
        elif lexeme == ":=":
            self._value()
        elif lexeme == ";" and self.text.inner.kind == "let:=":
            self._expect_term_before(lexeme)
            (name,) = self.text.close().names
            self.text.tokens.append(";")
            # The variable is in scope in what follows, and was not in its own type and value.
            self.text.scope.bind(name)
            self.text.begin_operand()
        elif lexeme in _CLOSER:
            self._bracket(lexeme)
        else:
            self._atom(lexeme)

    def _expect_term_before(self, lexeme: str) -> None:
        if not self.text.inner.atoms:
            raise unexpected(lexeme)

    def _atom(self, lexeme: str) -> None:
        """Read an atom of one token, or a mark that belongs to the atom beside it."""
        # Explicit mode belongs to the constant that follows; under `pp.explicit` Lean prints it before every one.
        if lexeme == "@":
            self.text.tokens.append(lexeme)
        # A projection by number, `p.1`: what it projects is then no term in parentheses that an arrow may unwrap.
        elif lexeme[0] == "." and lexeme[1:].isdigit() and self.text.inner.atoms:
            self.text.inner.brackets = None
            self.text.tokens.append(lexeme)
        elif lexeme in _SORTS:
            self.text.atom(lexeme)
            # `Type u`, `Sort (max u v)`. As an argument `Type` stands alone: with a universe it is in parentheses.
            is_first, after = self.text.inner.atoms == 1, self.cursor.peek()
            if is_first and (after == "(" or after.isdigit() or is_binder_name(after)):
                self.universes.read_one()
        elif lexeme in _WORDS or lexeme[0] in "\"'" or lexeme.isdigit():
            self.text.atom(lexeme)
        else:
            self._name(lexeme)

    def _name(self, lexeme: str) -> None:
        """Read a bound variable or a constant: of the two only a constant has universes, or `_root_` before it."""
        if lexeme in SYNTAX_WORDS or not is_name(lexeme):
            raise unexpected(lexeme)
        has_universes = self.cursor.peek() == ".{"
        if not has_universes and (level := self.text.scope.level(lexeme)) is not None:
            self.text.atom(level)
            return
        name = lexeme.removeprefix("_root_.")
        if name != lexeme:
            self.rooted.add(name)
        self.constants.add(name)
        self.text.atom(name)
        if has_universes:
            self.universes.read_list()

    def _bracket(self, lexeme: str) -> None:
        """Read the beginning of a term in parentheses, a named argument, or the binder of a dependent arrow."""
        if self.cursor.opens_binder(lexeme):
            self._open_binder(lexeme, arrow=True)
            return
        if lexeme != "(":
            raise unexpected(lexeme)
        self.text.atom(lexeme)
        self.text.open(lexeme)
        # A named argument, `(motive := …)`: the label is part of the term.
        label = self.cursor.peek()
        if is_name(label) and self.cursor.peek(1) == ":=":
            self.text.tokens += [label, ":="]
            self.cursor.at += 2
        self.text.begin_operand()

    def _open_binder(self, lexeme: str, *, arrow: bool) -> None:
        """Read the bracket and the names of a binder; `arrow` says that one follows it in the text that is written."""
        names = self.cursor.binder_names()
        self.text.atom(f"{lexeme}#:")
        binder = self.text.open("binder")
        binder.names, binder.arrow = names, arrow
        self.text.begin_operand()

    def _close(self, lexeme: str) -> None:
        """Read a closing bracket, and after a binder its arrow."""
        context = self.text.close()
        opener = str(self.text.tokens[context.begins])[:1]
        if context.kind not in {"(", "binder"} or _CLOSER[opener] != lexeme or not context.atoms:
            raise unexpected(lexeme)
        self.text.tokens.append(lexeme)
        outer = self.text.inner
        if context.kind == "(":
            outer.brackets = (context.begins, len(self.text.tokens) - 1)
            return
        if context.arrow:
            # After the binders of a `∀` Lean prints one comma, and no arrow.
            if outer.kind != "∀":
                self.cursor.expect("→")
            self.text.tokens.append("→")
        self.text.bind(context)
        if outer.kind not in _BINDERS_END:
            self.text.begin_operand()

    def _let(self, lexeme: str) -> None:
        """Read `let x :`; the type follows, then `:=` and the value, then `;`."""
        name = self.cursor.next()
        if not is_binder_name(name):
            raise unexpected(name)
        self.cursor.expect(":")
        self.text.atom(lexeme)
        self.text.open("let:").names = (name,)
        self.text.begin_operand()

    def _value(self) -> None:
        """Read `:=`: the type before it ends, and with it the scope of what it bound."""
        context = self.text.inner
        if context.kind not in {"text", "let:"}:
            raise unexpected(":=")
        self._expect_term_before(":=")
        self.text.scope.leave(context.scope)
        context.kind = "value" if context.kind == "text" else "let:="
        self.text.tokens.append(":=")
        self.text.begin_operand()
