"""The axioms that are allowed, and the types that kernels know by their names, as every Lean means them.

An axiom named `propext` may be anything; and `propext` with its own type proves everything where `Iff` is another
relation. So both are written down here, as they are in Lean's `Init` since the first release of Lean 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.export.constants import Block, Constant, ConstantKind, Constructor, Export, Inductive
from streamverify.core.export.terms import Binder, Expr, Level, Terms

if TYPE_CHECKING:
    from streamverify.core.export.names import NameTable

STANDARD_AXIOMS = (("propext",), ("Classical", "choice"), ("Quot", "sound"))
"""The axioms that a proof may use."""

_QUOTIENT = (("Quot",), ("Quot", "mk"), ("Quot", "lift"), ("Quot", "ind"))

KNOWN_IF_DECLARED = {
    ("Nat",): (("Nat",),),
    ("Nat", "zero"): (("Nat", "zero"),),
    ("Nat", "succ"): (("Nat", "succ"),),
    ("Bool",): (("Nat", "beq"), ("Nat", "ble")),
    ("Eq",): _QUOTIENT,
    **{name: (name,) for name in _QUOTIENT},
    ("List",): (("String", "ofList"), ("String", "mk")),
}
"""Constants that must be as they are here if one of the others is declared: kernels then compute with them by name."""

_ON_NUMBERS = tuple("add sub mul div mod gcd beq ble land lor xor shiftLeft shiftRight pow log2".split())  # noqa: SIM905

KERNEL_ROOTS = (
    *(("Nat", word) for word in _ON_NUMBERS),
    ("String",),
    ("String", "ofList"),
    ("String", "mk"),
    ("Char",),
    ("Char", "ofNat"),
    ("eagerReduce",),
)
"""More constants that kernels compute with by name; versions of Lean define them in different ways.

Where a proof's export has one of them, the header must mean the same by it: with a sum of its own for numbers that are
written as digits, a file proves everything.
"""

NATIVE = (("Lean", "reduceBool"), ("Lean", "reduceNat"), ("Lean", "ofReduceBool"), ("Lean", "ofReduceNat"))
"""Constants that kernels of Lean run as compiled code: no export says what they are."""


def known(names: NameTable) -> Export:
    """Return the axioms and types as an export, whose names have the numbers of `names`."""
    build = _Builder(names)
    sort, var, pi, app, const = build.sort, build.var, build.pi, build.app, build.const
    zero, u, v = 0, build.param("u"), build.param("v")
    prop, sort_u, type_u = sort(zero), sort(u), sort(build.succ(u))
    one = build.succ(zero)
    quot, mk = const("Quot", u), const("Quot.mk", u)

    def relation(on: int) -> int:
        """Return `A → A → Prop`, where A is bound so far away."""
        return pi((var(on), var(on + 1)), prop)

    # The comments count the variables from the last one.
    build.inductive("Eq", "u", 2, pi((sort_u, var(0), var(1)), prop))
    build.constructor("Eq", "refl", pi((sort_u, var(0)), app(const("Eq", u), var(1), var(0), var(0))))
    build.inductive("Iff", "", 2, pi((prop, prop), prop))
    # {a b : Prop} (mp : a → b) (mpr : b → a) : Iff a b
    a_to_b, b_to_a = pi((var(1),), var(1)), pi((var(1),), var(3))
    build.constructor("Iff", "intro", pi((prop, prop, a_to_b, b_to_a), app(const("Iff"), var(3), var(2))))
    build.inductive("Nonempty", "u", 1, pi((sort_u,), prop))
    build.constructor("Nonempty", "intro", pi((sort_u, var(0)), app(const("Nonempty", u), var(1))))
    build.inductive("Nat", "", 0, sort(one))
    build.constructor("Nat", "zero", const("Nat"))
    build.constructor("Nat", "succ", pi((const("Nat"),), const("Nat")))
    build.inductive("Bool", "", 0, sort(one))
    build.constructor("Bool", "false", const("Bool"))
    build.constructor("Bool", "true", const("Bool"))
    build.inductive("List", "u", 1, pi((type_u,), type_u))
    a_list = const("List", u)
    build.constructor("List", "nil", pi((type_u,), app(a_list, var(0))))
    build.constructor("List", "cons", pi((type_u, var(0), app(a_list, var(1))), app(a_list, var(2))))

    quotient, axiom = ConstantKind.QUOTIENT, ConstantKind.AXIOM
    build.plain(quotient, "Quot", "u", pi((sort_u, relation(0)), sort_u), "type")
    build.plain(
        ConstantKind.QUOTIENT, "Quot.mk", "u", pi((sort_u, relation(0), var(1)), app(quot, var(2), var(1))), "ctor"
    )
    # {A} {r} {B : Sort v} (f : A → B) (a : ∀ a b : A, r a b → f a = f b) (q : Quot r) : B
    same = app(const("Eq", v), var(4), app(var(3), var(2)), app(var(3), var(1)))
    respects = pi((var(3), var(4), app(var(4), var(1), var(0))), same)
    lifted = (sort_u, relation(0), sort(v), pi((var(2),), var(1)), respects, app(quot, var(4), var(3)))
    build.plain(quotient, "Quot.lift", "u v", pi(lifted, var(3)), "lift")
    # {A} {r} {B : Quot r → Prop} (mk : ∀ a : A, B (Quot.mk r a)) (q : Quot r) : B q
    all_mk = pi((var(2),), app(var(1), app(mk, var(3), var(2), var(0))))
    inducted = (sort_u, relation(0), pi((app(quot, var(1), var(0)),), prop), all_mk, app(quot, var(3), var(2)))
    build.plain(quotient, "Quot.ind", "u", pi(inducted, app(var(2), var(0))), "ind")

    # {a b : Prop} : Iff a b → Eq a b
    equal = app(const("Eq", one), prop, var(2), var(1))
    build.plain(
        ConstantKind.AXIOM, "propext", "", pi((prop, prop, app(const("Iff"), var(1), var(0))), equal, implicit=2)
    )
    # {A : Sort u} : Nonempty A → A
    chosen = pi((sort_u, app(const("Nonempty", u), var(0))), var(1), implicit=1)
    build.plain(axiom, "Classical.choice", "u", chosen)
    # {A : Sort u} {r : A → A → Prop} {a b : A} : r a b → Eq (Quot.mk r a) (Quot.mk r b)
    sides = [app(mk, var(4), var(3), var(each)) for each in (2, 1)]
    related = (sort_u, relation(0), var(1), var(2), app(var(2), var(1), var(0)))
    equal = app(const("Eq", u), app(quot, var(4), var(3)), *sides)
    build.plain(axiom, "Quot.sound", "u", pi(related, equal, implicit=4))
    return build.export


class _Builder:
    """Writes terms and declarations into an export, as a program and not from a file."""

    def __init__(self, names: NameTable) -> None:
        self.export = Export(names, Terms())
        self._terms = self.export.terms
        self._params: dict[str, int] = {}
        self._blocks: dict[str, Block] = {}

    def param(self, name: str) -> int:
        """Return the level of a universe parameter."""
        self._params[name] = self.export.names.of((name,))
        return self._terms.level(Level.PARAM, self._params[name])

    def succ(self, level: int) -> int:
        """Return the level above."""
        return self._terms.level(Level.SUCC, level)

    def sort(self, level: int) -> int:
        """Return a sort."""
        return self._terms.add(Expr.SORT, level, 0, 0, 0)

    def var(self, binders: int) -> int:
        """Return a bound variable."""
        return self._terms.add(Expr.BVAR, binders, 0, 0, 0)

    def const(self, name: str, *levels: int) -> int:
        """Return a constant."""
        return self._terms.add(Expr.CONST, self._name(name), self._terms.level_list(levels), 0, 0)

    def app(self, function: int, *arguments: int) -> int:
        """Return an application."""
        for argument in arguments:
            function = self._terms.add(Expr.APP, function, argument, 0, 0)
        return function

    def pi(self, arguments: tuple[int, ...], end: int, *, implicit: int = 0) -> int:
        """Return the type of functions from arguments, of which so many of the first are implicit."""
        for at in reversed(range(len(arguments))):
            binder = Binder.IMPLICIT if at < implicit else Binder.DEFAULT
            end = self._terms.add(Expr.FORALL, arguments[at], end, binder, 0)
        return end

    def inductive(self, name: str, params: str, parameters: int, type_: int) -> None:
        """Declare an inductive type without constructors."""
        row = self._name(name)
        declared = Inductive(ConstantKind.INDUCTIVE, row, self._names_of(params), type_, parameters=parameters)
        declared.block = self._blocks[name] = Block([declared], [], [])
        self.export.constants[row] = declared

    def constructor(self, of: str, part: str, type_: int) -> None:
        """Declare a constructor of an inductive type."""
        block, name = self._blocks[of], self._name(f"{of}.{part}")
        parent, at = block.types[0], len(block.constructors)
        constructor = Constructor(ConstantKind.CONSTRUCTOR, name, parent.params, type_, block=block, at=at)
        block.constructors.append(constructor)
        parent.constructors = (*parent.constructors, name)
        self.export.constants[name] = constructor

    def plain(self, kind: ConstantKind, name: str, params: str, type_: int, word: str = "") -> None:
        """Declare a constant that is a type and nothing else."""
        self.export.constants[self._name(name)] = Constant(
            kind, self._name(name), self._names_of(params), type_, word=word
        )

    def _name(self, dotted: str) -> int:
        return self.export.names.of(dotted.split("."))

    def _names_of(self, params: str) -> tuple[int, ...]:
        return tuple(self._params[each] for each in params.split())
