"""The reading of exports, held against slow readings of terms that Hypothesis makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exports import Written, kept
from forged_exports import inductive
from hypothesis import example, given
from hypothesis import strategies as st

from streamverify.core.export import AcceptedProof, ExportLimits, RefusedProof, UnreadableExport, judge

if TYPE_CHECKING:
    from collections.abc import Callable

Term = tuple["str | int | Term", ...]

TERMS: st.SearchStrategy[Term] = st.recursive(
    st.one_of(
        st.tuples(st.just("var"), st.integers(0, 3)),
        st.tuples(st.just("sort"), st.integers(0, 2)),
        st.tuples(st.just("param"), st.sampled_from("uv")),
    ),
    lambda terms: st.one_of(
        st.tuples(st.just("app"), terms, terms),
        st.tuples(st.sampled_from(["pi", "lam"]), terms, terms, st.sampled_from("xy")),
        st.tuples(st.just("let"), terms, terms, terms),
    ),
    max_leaves=12,
)


def _write(term: Term, params: str) -> bytes:
    """An export with one theorem `t`, of a type that is this term, with these universe parameters for `u` and `v`."""
    export = Written()
    level = {0: 0, 1: export.level(succ=0)}
    level[2] = export.level(succ=level[1])
    rename = dict(zip("uv", params, strict=True))
    for name in params:
        export.level(param=export.name(name))

    def row(part: Term) -> int:
        match part:
            case ("var", int(binders)):
                return export.var(binders)
            case ("sort", int(number)):
                return export.sort(level[number])
            case ("param", str(name)):
                return export.sort(export.level(param=export.name(rename[name])))
            case ("app", tuple(function), tuple(argument)):
                return export.app(row(function), row(argument))
            case (("pi" | "lam") as kind, tuple(domain), tuple(body), str(name)):
                word = "forallE" if kind == "pi" else "lam"
                what = {"name": export.name(name), "type": row(domain), "body": row(body), "binderInfo": "default"}
                return export.row("ie", {word: what})
            case ("let", tuple(type_), tuple(value), tuple(body)):
                what = {"name": export.name("x"), "type": row(type_), "value": row(value), "body": row(body)}
                return export.row("ie", {"letE": {**what, "nondep": False}})
        raise AssertionError(part)

    type_ = row(term)
    export.theorem("t", type_, type_)
    export.lines[-1]["thm"]["levelParams"] = [export.name(name) for name in params]
    return export.bytes()


def _blind(term: Term) -> Term:
    """The term without the names of its bound variables."""
    kept_parts = term[:3] if term[0] in ("pi", "lam") else term
    return tuple(_blind(part) if isinstance(part, tuple) else part for part in kept_parts)


@given(TERMS, TERMS)
@example(("sort", 0), ("sort", 0))
def test_terms_are_the_same_if_they_are_when_written_out(one: Term, other: Term) -> None:
    said = judge([_write(one, "uv")], ("t",), trusted=[_write(other, "uv")])
    if _blind(one) == _blind(other):
        assert isinstance(said, AcceptedProof)
    else:
        assert isinstance(said, RefusedProof)
        assert said.reason == "statement_mismatch"


@given(TERMS)
def test_universe_parameters_may_have_other_names(term: Term) -> None:
    for params in ("uv", "vu", "ab", "va"):
        assert isinstance(judge([_write(term, params)], ("t",), trusted=[_write(term, "uv")]), AcceptedProof)


@given(TERMS)
def test_universe_parameters_keep_their_places(term: Term) -> None:
    """With `v` for `u` and `u` for `v` in the type, but not in the list, it is the same only where none is used."""
    listed = Written(_write(term, "vu"))
    thm = next(listed.declared("thm"))
    thm["levelParams"] = thm["levelParams"][::-1]
    said = judge([listed.bytes()], ("t",), trusted=[_write(term, "uv")])
    used = {part for part in _flat(term) if part in ("u", "v")}
    assert isinstance(said, AcceptedProof if not used else RefusedProof)


def _flat(term: Term) -> list[object]:
    return [each for part in term for each in (_flat(part) if isinstance(part, tuple) else [part])]


@given(TERMS, st.integers(1, 40))
def test_it_does_not_matter_how_bytes_are_cut(term: Term, size: int) -> None:
    export = _write(term, "uv")
    pieces = [export[at : at + size] for at in range(0, len(export), size)]
    assert judge(pieces, ("t",)) == judge([export], ("t",))


@given(st.data())
def test_no_beginning_of_a_real_export_is_accepted(data: st.DataObject) -> None:
    export = kept("three_axioms")
    at = data.draw(st.integers(0, len(export) - 1))
    assert not isinstance(judge([export[:at]], ("target",)), AcceptedProof)


def _deep(step: Callable[[Written, int], dict[str, object]], count: int) -> bytes:
    """An export whose theorem has a type of so many steps, each made of the one before."""
    export = Written()
    export.name("t")
    export.name("x")
    row = export.sort(0)
    for _ in range(count):
        row = export.add("ie", step(export, row))
    export.theorem("t", row, row)
    return export.bytes()


def test_the_depth_of_terms_does_not_matter() -> None:
    def nested(_: Written, row: int) -> dict[str, object]:
        return {"forallE": {"name": 2, "type": 0, "body": row, "binderInfo": "default"}}

    export = _deep(nested, 30_000)
    assert isinstance(judge([export], ("t",), trusted=[export]), AcceptedProof)


def test_the_length_of_terms_when_written_out_does_not_matter() -> None:
    """Each step mentions the one before twice: written out, the type has 2^2000 parts."""

    def twice(_: Written, row: int) -> dict[str, object]:
        return {"app": {"fn": row, "arg": row}}

    export = _deep(twice, 2000)
    assert isinstance(judge([export], ("t",), trusted=[export]), AcceptedProof)


def test_types_that_many_declarations_share_are_too_much_at_some_point() -> None:
    """A thousand constructors of a type with a thousand arguments each are a million of them."""
    export = Written()
    row = export.const("T")
    type_ = export.sort(export.level(succ=0))
    for _ in range(1000):
        row = export.add("ie", {"forallE": {"name": 0, "type": type_, "body": row, "binderInfo": "default"}})
    name = export.name("T")
    ctors = [
        {
            "name": export.name("T", f"c{at}"),
            "levelParams": [],
            "type": row,
            "induct": name,
            "cidx": at,
            "numParams": 0,
            "numFields": 1000,
            "isUnsafe": False,
        }
        for at in range(1000)
    ]
    types = {"name": name, "levelParams": [], "type": type_, "numParams": 0, "numIndices": 0, "all": [name]}
    more = {"ctors": [each["name"] for each in ctors], "numNested": 0, "isRec": False, "isUnsafe": False}
    block = {"types": [{**types, **more, "isReflexive": False}], "ctors": ctors, "recs": []}
    export.lines.append({"inductive": block})
    said = judge([export.bytes()], ("t",), limits=ExportLimits(steps=500_000))
    assert isinstance(said, UnreadableExport)
    assert said.too_large


def test_types_of_many_constructors_take_no_time_for_each_two_of_them() -> None:
    """Three thousand constructors would be nine million pairs."""
    count = 3000
    export = Written()
    self_ = export.const("T")
    type_ = export.sort(export.level(succ=0))
    constructors = [export.const(f"T.c{at}") for at in range(count)]
    motive = export.pi(self_, export.sort(export.level(param=export.name("u"))))
    # The motive is as many binders away as there are minor premises before.
    minors = [export.app(export.var(at), constructor) for at, constructor in enumerate(constructors)]
    row = export.pi(self_, export.app(export.var(count + 1), export.var(0)))
    for minor in reversed(minors):
        row = export.add("ie", {"forallE": {"name": 0, "type": minor, "body": row, "binderInfo": "default"}})
    recursor = export.pi(motive, row)
    inductive(export, "T", type_, {f"c{at}": (self_, 0) for at in range(count)}, recursor, [self_] * count)
    export.theorem("t", constructors[0], constructors[0])
    assert isinstance(judge([export.bytes()], ("t",), trusted=[export.bytes()]), AcceptedProof)
