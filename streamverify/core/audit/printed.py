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

from streamverify.core.audit.printed_tokens import (
    SYNTAX_WORDS,
    Cursor,
    UnreadableError,
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

# Binders of one type are written apart; nested in each other, so many that what comes out would not be linear.
_MAX_TOKENS_FOR_ONE = 64


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


@dataclass(slots=True)
class _Context:
    """A part of the text that is open: all of it, a bracket, binders of a `fun` or `∀`, the type or value of a `let`.

    `kind` is the opening token, `binder` for a bracket that binds `names`, `let:` and `let:=` for the two halves of a
    `let`. `scope` is the number of variables in scope before it, `begins` where its tokens begin. `operand` is the
    index of an empty token where what may turn out to be the left side of an arrow began, `atoms` how many atoms
    were read of it, `brackets` where its only atom opens and closes if that is a term in parentheses.
    """

    kind: str
    scope: int
    begins: int
    names: tuple[str, ...] = ()
    arrow: bool = False
    operand: int = -1
    atoms: int = 0
    brackets: tuple[int, int] | None = None


def read_printed(text: str) -> Printed:
    """Read what Lean printed of a constant after its name: `.{u} : type`, and for a definition ` := value`.

    Raises:
        UnreadableError: Lean printed something that is not in the grammar, or left something out.
    """
    return _Reader(tokens(text)).read()


class _Scope:
    """The variables that are bound where the reader is, by their de Bruijn levels."""

    def __init__(self) -> None:
        self._names: list[str] = []
        """The name of each, "" where it has none."""
        self._levels: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def bind(self, name: str) -> None:
        """Enter the scope of one more variable."""
        if name:
            self._levels.setdefault(name, []).append(len(self._names))
        self._names.append(name)

    def leave(self, size: int) -> None:
        """Leave the scope of all variables but the first `size` ones."""
        while len(self._names) > size:
            if name := self._names.pop():
                self._levels[name].pop()

    def level(self, name: str) -> int | None:
        """The number of the innermost variable of this name, which hides the others and any constant, or None."""
        levels = self._levels.get(name)
        return levels[-1] if levels else None


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
        """Read one token of a universe; by how much it goes deeper."""
        lexeme = self._cursor.next()
        if lexeme in {"(", ")", ",", "+", "max", "imax"} or lexeme == closer or lexeme.isdigit():
            self._out.append(lexeme)
        elif is_binder_name(lexeme):
            self._out.append(self._parameters.setdefault(lexeme, f"%{len(self._parameters)}"))
        else:
            raise unexpected(lexeme)
        return (lexeme == "(") - (lexeme in {")", "}"})


class _Reader:
    """One pass over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self.cursor = Cursor(tokens)
        self.out: list[str | int] = []
        self.constants: set[str] = set()
        self.rooted: set[str] = set()
        self.scope = _Scope()
        self.universes = _Universes(self.cursor, self.out)
        self.stack: list[_Context] = []
        self.limit = _MAX_TOKENS_FOR_ONE * len(tokens)

    def read(self) -> Printed:
        self._open("text")
        if self.cursor.peek() == ".{":
            self.universes.read_list()
        self.cursor.expect(":")
        self.out.append(":")
        self._begin_operand()
        while lexeme := self.cursor.next():
            # Between `fun` and `=>` there are binders and nothing else; everywhere else there is a term.
            if self.stack[-1].kind in _BINDERS_END:
                self._binders(lexeme)
            else:
                self._term(lexeme)
            if len(self.out) > self.limit:
                raise UnreadableError("too many binders of one type")
        if len(self.stack) != 1 or not self.stack[0].atoms:
            raise UnreadableError("its end is missing")
        spelled = (f"#{token}" if isinstance(token, int) else token for token in self.out if token != "")
        return Printed(" ".join(spelled), frozenset(self.constants), frozenset(self.rooted))

    def _binders(self, lexeme: str) -> None:
        """Read a token of the binders: between `fun` and `=>`, or `∀` and `,`."""
        kind = self.stack[-1].kind
        # `∀ (x : A), B` becomes what `(x : A) → B` becomes: each binder is followed by its arrow.
        if lexeme in _CLOSER and self.cursor.opens_binder(lexeme):
            self._open_binder(lexeme, arrow=kind == "∀")
        elif lexeme in _BINDERS_END[kind]:
            self.stack.pop()
            if kind == "fun":
                self.out.append("=>")
            self._begin_operand()
        else:
            raise unexpected(lexeme)

    def _term(self, lexeme: str) -> None:
        """A token of a term: most of them are its atoms."""
        context = self.stack[-1]
        if lexeme in _CLOSERS:
            self._close(lexeme)
        elif lexeme == "→":
            self._arrow()
        elif lexeme in {"fun", "λ", "∀"}:
            # `∀` leaves no token of its own: its binders become those of arrows.
            self._atom("" if lexeme == "∀" else "fun")
            self._open("∀" if lexeme == "∀" else "fun")
        elif lexeme in _LETS:
            self._let(lexeme)
        elif lexeme == ":=":
            self._value()
        elif lexeme == ";" and context.kind == "let:=":
            self._end_let()
        elif lexeme in _CLOSER:
            self._bracket(lexeme)
        # Explicit mode belongs to the constant that follows; under `pp.explicit` Lean prints it before every one.
        elif lexeme == "@":
            self.out.append(lexeme)
        # A projection by number, `p.1`: what it projects is then no term in parentheses that an arrow may unwrap.
        elif lexeme[0] == "." and lexeme[1:].isdigit() and context.atoms:
            context.brackets = None
            self.out.append(lexeme)
        else:
            self._plain(lexeme)

    def _plain(self, lexeme: str) -> None:
        """An atom of one token."""
        if lexeme in _SORTS:
            self._sort(lexeme)
        elif lexeme in _WORDS or lexeme[0] in "\"'" or lexeme.isdigit():
            self._atom(lexeme)
        else:
            self._name(lexeme)

    def _name(self, lexeme: str) -> None:
        """A bound variable or a constant: of the two only a constant has universes, or `_root_` before it."""
        if lexeme in SYNTAX_WORDS or not is_name(lexeme):
            raise unexpected(lexeme)
        has_universes = self.cursor.peek() == ".{"
        if not has_universes and (level := self.scope.level(lexeme)) is not None:
            self._atom(level)
            return
        name = lexeme.removeprefix("_root_.")
        if name != lexeme:
            self.rooted.add(name)
        self.constants.add(name)
        self._atom(name)
        if has_universes:
            self.universes.read_list()

    def _bracket(self, lexeme: str) -> None:
        """A term in parentheses, a named argument, or the binder of a dependent arrow."""
        if self.cursor.opens_binder(lexeme):
            self._open_binder(lexeme, arrow=True)
            return
        if lexeme != "(":
            raise unexpected(lexeme)
        self._atom(lexeme)
        self._open(lexeme)
        # A named argument, `(motive := …)`: the label is part of the term.
        label = self.cursor.peek()
        if is_name(label) and self.cursor.peek(1) == ":=":
            self.out += [label, ":="]
            self.cursor.at += 2
        self._begin_operand()

    def _open_binder(self, lexeme: str, *, arrow: bool) -> None:
        names = self.cursor.binder_names()
        self._atom(f"{lexeme}#:")
        self._open("binder")
        context = self.stack[-1]
        context.names, context.arrow = names, arrow
        self._begin_operand()

    def _close(self, lexeme: str) -> None:
        context = self.stack.pop()
        opener = str(self.out[context.begins])[:1]
        if context.kind not in {"(", "binder"} or _CLOSER[opener] != lexeme or not context.atoms:
            raise unexpected(lexeme)
        self.scope.leave(context.scope)
        self.out.append(lexeme)
        outer = self.stack[-1]
        if context.kind == "(":
            outer.brackets = (context.begins, len(self.out) - 1)
            return
        if context.arrow:
            if outer.kind != "∀":
                self.cursor.expect("→")
            self.out.append("→")
        binder = self.out[context.begins :]
        for more in range(1, len(context.names)):
            # One variable more is in scope there than at the first.
            self.out += [t + more if isinstance(t, int) and t >= context.scope else t for t in binder]
            if len(self.out) > self.limit:
                raise UnreadableError("too many binders of one type")
        for name in context.names:
            self.scope.bind(name)
        if outer.kind not in _BINDERS_END:
            self._begin_operand()

    def _arrow(self) -> None:
        """`A →`: what `(x : A) →` is where the name is printed."""
        context = self.stack[-1]
        if not context.atoms:
            raise unexpected("→")
        # Parentheses around the only atom go: those of the binder stand in their place.
        if context.atoms == 1 and context.brackets:
            for index in context.brackets:
                self.out[index] = ""
        self.out[context.operand] = "(#:"
        self.out += [")", "→"]
        self.scope.bind("")
        self._begin_operand()

    def _let(self, lexeme: str) -> None:
        name = self.cursor.next()
        if not is_binder_name(name):
            raise unexpected(name)
        self.cursor.expect(":")
        self._atom(lexeme)
        self._open("let:")
        self.stack[-1].names = (name,)
        self._begin_operand()

    def _value(self) -> None:
        """`:=`: the type before it ends, and with it what it bound."""
        context = self.stack[-1]
        if context.kind not in {"text", "let:"} or not context.atoms:
            raise unexpected(":=")
        self.scope.leave(context.scope)
        context.kind = "value" if context.kind == "text" else "let:="
        self.out.append(":=")
        self._begin_operand()

    def _end_let(self) -> None:
        context = self.stack.pop()
        if not context.atoms:
            raise unexpected(";")
        self.scope.leave(context.scope)
        self.out.append(";")
        self.scope.bind(context.names[0])
        self._begin_operand()

    def _sort(self, lexeme: str) -> None:
        """`Type u`, `Sort (max u v)`; as an argument `Type` stands alone: with a universe it is in parentheses."""
        first = not self.stack[-1].atoms
        self._atom(lexeme)
        after = self.cursor.peek()
        if first and (after == "(" or after.isdigit() or is_binder_name(after)):
            self.universes.read_one()

    def _atom(self, lexeme: str | int) -> None:
        context = self.stack[-1]
        context.atoms += 1
        context.brackets = None
        self.out.append(lexeme)

    def _open(self, kind: str) -> None:
        """Open a context whose first token is the last one that was put out."""
        self.stack.append(_Context(kind, len(self.scope), len(self.out) - 1))

    def _begin_operand(self) -> None:
        context = self.stack[-1]
        context.operand, context.atoms, context.brackets = len(self.out), 0, None
        self.out.append("")
