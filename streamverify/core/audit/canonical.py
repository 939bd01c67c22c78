"""The text under which equal terms are equal: what `printed` writes while it reads what Lean printed. Pure.

This module knows of scopes and of arrows, and of no grammar: what a token means has been decided where it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamverify.core.audit.printed_tokens import UnreadableError

# Binders of one type are written apart; nested in each other, so many that what comes out would not be linear.
_MAX_TOKENS_FOR_ONE = 64


@dataclass(slots=True)
class Context:
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


class Scope:
    """The variables that are bound at one place of a term, by their de Bruijn levels."""

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
        """Return the number of the innermost variable of this name, which hides the others and any constant.

        None where no variable has the name.
        """
        levels = self._levels.get(name)
        return levels[-1] if levels else None


class CanonicalText:
    """A term as it is written: which parts of it are open, which variables are bound, and the tokens so far.

    A token is text, or the de Bruijn level of a bound variable. `size` is the number of tokens that are read: the
    text may grow with it, and not faster.
    """

    def __init__(self, size: int) -> None:
        self.tokens: list[str | int] = []
        self.scope = Scope()
        self._open: list[Context] = []
        self._limit = _MAX_TOKENS_FOR_ONE * size

    @property
    def inner(self) -> Context:
        """The innermost part that is open."""
        return self._open[-1]

    @property
    def is_whole(self) -> bool:
        """True if all that was opened is closed, but for the text itself, which has a term at its end."""
        return len(self._open) == 1 and self._open[0].atoms > 0

    def atom(self, token: str | int) -> None:
        """Add an atom of the term that is open: its function or one of its arguments."""
        self.inner.atoms += 1
        self.inner.brackets = None
        self.tokens.append(token)

    def open(self, kind: str) -> Context:
        """Open a part whose first token is the last one that was written."""
        self._open.append(Context(kind, len(self.scope), len(self.tokens) - 1))
        return self.inner

    def begin_operand(self) -> None:
        """Begin a term that may turn out to be the left side of an arrow."""
        self.inner.operand, self.inner.atoms, self.inner.brackets = len(self.tokens), 0, None
        # The place for the bracket of a binder, should an arrow follow.
        self.tokens.append("")

    def end_binders(self) -> None:
        """End the binders of a `fun` or `∀`. What they bound stays in scope: the body is in the part around them."""
        self._open.pop()

    def close(self) -> Context:
        """Close the innermost part, and leave the scope of what it bound."""
        context = self._open.pop()
        self.scope.leave(context.scope)
        return context

    def arrow(self) -> None:
        """Write `A →` as what `(x : A) →` is where the name is printed: a binder, here of a variable without a name."""
        operand = self.inner
        # Parentheses around the only atom go: those of the binder stand in their place.
        if operand.atoms == 1 and operand.brackets:
            for index in operand.brackets:
                self.tokens[index] = ""
        self.tokens[operand.operand] = "(#:"
        self.tokens += [")", "→"]
        self.scope.bind("")
        self.begin_operand()

    def bind(self, binder: Context) -> None:
        """Write the binder that was just closed once for each of its names, and enter the scope of these.

        Raises:
            UnreadableError: Binders of many names, nested in each other, would make the text longer than linear.
        """
        written = self.tokens[binder.begins :]
        for more in range(1, len(binder.names)):
            # One variable more is in scope there than at the first.
            self.tokens += [t + more if isinstance(t, int) and t >= binder.scope else t for t in written]
            self.check_size()
        for name in binder.names:
            self.scope.bind(name)

    def check_size(self) -> None:
        """Refuse a text that has grown out of proportion.

        Raises:
            UnreadableError: It has.
        """
        if len(self.tokens) > self._limit:
            raise UnreadableError("too many binders of one type")

    def __str__(self) -> str:
        return " ".join(f"#{token}" if isinstance(token, int) else token for token in self.tokens if token != "")
