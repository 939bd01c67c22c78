"""Lean's explicit printing, read back: names of bound variables do not count, and nothing else becomes equal.

The terms are made here, with de Bruijn indices, and printed as Lean prints them (seen on Lean 4.35 and on that of June
2021): shadowing is allowed where it hides nothing that is used, a constant under a binder of its name gets `_root_.`,
binders of one type may stand together, and a name that is not used may be left out of an arrow.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from streamverify.core.audit.printed import read_printed
from streamverify.core.audit.printed_tokens import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = ["a", "b", "x", "f.g", "«a b»", "inst✝", "x✝¹", "u"]
CONSTANTS = ["a", "b", "x", "f.g", "«a b»", "Nat", "u", "a.b"]
UNIVERSES = [["u", "v"], ["a", "b"], ["v", "u"]]
BRACKETS = {"(": ")", "{": "}", "[": "]", "⦃": "⦄"}


@dataclass(frozen=True, slots=True)
class Var:
    index: int


@dataclass(frozen=True, slots=True)
class Const:
    name: str
    universes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sort:
    universe: int


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class App:
    function: Term
    argument: Term


@dataclass(frozen=True, slots=True)
class Proj:
    index: int
    of: Term


@dataclass(frozen=True, slots=True)
class Binder:
    """`fun` or an arrow."""

    word: str
    bracket: str
    type: Term
    body: Term


@dataclass(frozen=True, slots=True)
class Let:
    type: Term
    value: Term
    body: Term


Term = Var | Const | Sort | Literal | App | Proj | Binder | Let


def terms(scope: int) -> st.SearchStrategy[Term]:
    """Terms whose free variables are the `scope` innermost ones."""
    leaves: list[st.SearchStrategy[Term]] = [
        st.builds(Const, st.sampled_from(CONSTANTS), st.sampled_from([(), (), (0,), (1, 0)])),
        st.builds(Sort, st.integers(0, 1)),
        st.sampled_from([Literal("5"), Literal('"x) → (a"'), Literal('"\\"a"')]),
    ]
    if scope:
        leaves += [st.builds(Var, st.integers(0, scope - 1))] * 3
    return st.one_of(leaves)


def deep(scope: int, size: int) -> st.SearchStrategy[Term]:
    if size <= 0:
        return terms(scope)
    smaller, under = deep(scope, size - 1), st.deferred(lambda: deep(scope + 1, size - 1))
    return st.one_of(
        terms(scope),
        st.builds(App, smaller, smaller),
        st.builds(Proj, st.integers(0, 1), smaller),
        st.builds(Binder, st.sampled_from(["fun", "→"]), st.sampled_from("(({[⦃"), smaller, under),
        st.builds(Binder, st.just("→"), st.just("("), smaller, under),
        st.builds(Let, smaller, smaller, under),
    )


def uses(term: Term, index: int) -> bool:
    match term:
        case Var(other):
            return other == index
        case App(one, two):
            return uses(one, index) or uses(two, index)
        case Proj(_, of):
            return uses(of, index)
        case Binder(_, _, type_, body):
            return uses(type_, index) or uses(body, index + 1)
        case Let(type_, value, body):
            return uses(type_, index) or uses(value, index) or uses(body, index + 1)
    return False


class Printer:
    """Prints like Lean; `choose` makes the choices that names bring with them."""

    def __init__(self, choose: Callable[[int], int], universes: Sequence[str]) -> None:
        self.choose = choose
        self.universes = universes

    def whole(self, type_: Term, value: Term) -> str:
        return f".{{{', '.join(self.universes)}}} : {self.show(type_, [])} :=\n{self.show(value, [])}"

    def name(self, body: Term, scope: list[str]) -> str:
        """A name that hides no variable which the body uses."""
        used = {name for index, name in enumerate(reversed(scope), 1) if uses(body, index)}
        free = [name for name in NAMES if name not in used] or [f"y_{len(scope)}"]
        return free[self.choose(len(free))]

    def show(self, term: Term, scope: list[str]) -> str:
        match term:
            case Binder("fun", _, _, _):
                return self.functions(term, scope)
            case Binder("→", _, _, _):
                return self.arrows(term, scope)
            case Let(type_, value, body):
                name = self.name(body, scope)
                shown = f"{self.show(type_, scope)} := {self.show(value, scope)};\n  {self.show(body, [*scope, name])}"
                return f"have {name} : {shown}"
            case App(function, argument):
                return f"{self.function(function, scope)} {self.atom(argument, scope)}"
            case Sort(universe):
                return f"Type {self.universes[universe]}"
        return self.atom(term, scope)

    def function(self, term: Term, scope: list[str]) -> str:
        return self.show(term, scope) if isinstance(term, App) else self.atom(term, scope)

    def atom(self, term: Term, scope: list[str]) -> str:
        match term:
            case Var(index):
                return scope[-1 - index]
            case Const(name, universes):
                if universes:
                    return f"@{name}.{{{', '.join(self.universes[each] for each in universes)}}}"
                return f"_root_.{name}" if name in scope else name
            case Literal(text):
                return text
            case Proj(index, of):
                return f"{self.atom(of, scope)}.{index + 1}"
        return f"({self.show(term, scope)})"

    def functions(self, term: Binder, scope: list[str]) -> str:
        name = self.name(term.body, scope)
        shown = f"fun {self.group(term, [name], scope)} => {self.show(term.body, [*scope, name])}"
        match term.body:
            case Binder("fun", bracket, type_, body) if bracket == term.bracket != "[" and not uses(type_, 0):
                if lowered(type_) == term.type and self.choose(2):
                    second = self.name(body, [*scope, name])
                    group = self.group(term, [name, second], scope)
                    return f"fun {group} => {self.show(body, [*scope, name, second])}"
        return shown

    def arrows(self, term: Binder, scope: list[str]) -> str:
        name = self.name(term.body, scope)
        if term.bracket == "(" and not uses(term.body, 0) and self.choose(2):
            # A name that nobody can see hides nothing.
            left = term.type
            shown = f"({self.show(left, scope)})" if isinstance(left, Binder | Let) else self.show(left, scope)
            return f"{shown} → {self.show(term.body, [*scope, ' '])}"
        if self.choose(2):
            return f"∀ {self.group(term, [name], scope)}, {self.show(term.body, [*scope, name])}"
        return f"{self.group(term, [name], scope)} → {self.show(term.body, [*scope, name])}"

    def group(self, term: Binder, names: list[str], scope: list[str]) -> str:
        shown = f"{' '.join(names)} : {self.show(term.type, scope)}"
        if term.bracket == "[" and not uses(term.body, 0) and self.choose(2):
            shown = self.show(term.type, scope)
        return f"{term.bracket}{shown}{BRACKETS[term.bracket]}"


def lowered(term: Term, depth: int = 0) -> Term:
    """A term that does not use the innermost variable, outside of its scope."""
    match term:
        case Var(index):
            return Var(index - 1) if index > depth else term
        case App(one, two):
            return App(lowered(one, depth), lowered(two, depth))
        case Proj(index, of):
            return Proj(index, lowered(of, depth))
        case Binder(word, bracket, type_, body):
            return Binder(word, bracket, lowered(type_, depth), lowered(body, depth + 1))
        case Let(type_, value, body):
            return Let(lowered(type_, depth), lowered(value, depth), lowered(body, depth + 1))
    return term


TERMS = deep(0, 4)


@given(TERMS, TERMS, st.data())
def test_names_of_bound_variables_and_universes_do_not_count(type_: Term, value: Term, data: st.DataObject) -> None:
    def printed() -> str:
        printer = Printer(lambda n: data.draw(st.integers(0, n - 1)), data.draw(st.sampled_from(UNIVERSES)))
        return printer.whole(type_, value)

    one, two = printed(), printed()
    assert read_printed(one).text == read_printed(two).text, (one, two)


@given(st.tuples(TERMS, TERMS), st.tuples(TERMS, TERMS), st.data())
def test_nothing_else_becomes_equal(one: tuple[Term, Term], two: tuple[Term, Term], data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        # Nearly the same: one leaf of it is another.
        two = (changed(one[0], data), one[1]) if data.draw(st.booleans()) else (one[0], changed(one[1], data))
    printer = Printer(lambda n: data.draw(st.integers(0, n - 1)), data.draw(st.sampled_from(UNIVERSES)))
    texts = [read_printed(printer.whole(*each)).text for each in (one, two)]
    assert (texts[0] == texts[1]) is (one == two)


def changed(term: Term, data: st.DataObject, scope: int = 0) -> Term:  # noqa: PLR0911 -- a case for each kind
    """The term with another leaf at one place."""
    match term:
        case App(one, two):
            if data.draw(st.booleans()):
                return App(changed(one, data, scope), two)
            return App(one, changed(two, data, scope))
        case Proj(index, of):
            return Proj(1 - index, of) if data.draw(st.booleans()) else Proj(index, changed(of, data, scope))
        case Binder(word, bracket, type_, body):
            if data.draw(st.integers(0, 2)) == 0:
                return Binder(word, bracket, changed(type_, data, scope), body)
            return Binder(word, bracket, type_, changed(body, data, scope + 1))
        case Let(type_, value, body):
            return Let(type_, value, changed(body, data, scope + 1))
    return data.draw(terms(scope))


@given(TERMS, st.data())
def test_all_constants_are_found(term: Term, data: st.DataObject) -> None:
    printer = Printer(lambda n: data.draw(st.integers(0, n - 1)), UNIVERSES[1])
    assert read_printed(printer.whole(term, Const("Nat"))).constants == constants(term) | {"Nat"}


def constants(term: Term) -> set[str]:
    match term:
        case Const(name, _):
            return {name}
        case App(one, two):
            return constants(one) | constants(two)
        case Proj(_, of):
            return constants(of)
        case Binder(_, _, type_, body):
            return constants(type_) | constants(body)
        case Let(type_, value, body):
            return constants(type_) | constants(value) | constants(body)
    return set()


PIECES = [
    *("(", ")", "{", "}", "[", "]", "⦃", "⦄", ":", ":=", "→", "=>", ",", ";", "fun", "∀", "have", "let", ".{"),
    *("a", "b", "_", "5", ".1", "@", "Prop", "Type", "Sort", '"s"', "'", "⋯", "#", "%0", "match", "_root_.a"),
    *("_private.0.a", "x✝", "+", "max"),
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join) | st.text(max_size=80))
@example(": " + "(a b : " * 40 + "N" + ") → N" * 40)
@example(": " + "(" * 5_000 + "N" + ")" * 5_000)
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f": {text}"):
        with suppress(UnreadableError):
            assert read_printed(candidate).text.startswith((":", ".{"))
