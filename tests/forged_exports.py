"""Exports that no exporter writes: each is a real one in which one thing was changed, or to which rows were added.

`FORGED` are those that say of inductive types what does not follow from them, most with a theorem `boom` that is false;
`DAMAGED` those that readers may take differently. Each comes with words of what the reading says of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from exports import Written, kept

if TYPE_CHECKING:
    from collections.abc import Callable


def inductive(  # noqa: PLR0913, PLR0917 - as many as a declaration has
    export: Written,
    name: str,
    type_: int,
    constructors: dict[str, tuple[int, int]],
    recursor: int,
    rules: list[int],
    *,
    minors: int | None = None,
) -> dict[str, Any]:
    """Declare a type without parameters: a constructor has a type and a number of fields."""
    row = export.name(name)
    common = {"levelParams": [], "isUnsafe": False, "numParams": 0}
    type_value = {
        **common,
        "name": row,
        "type": type_,
        "numIndices": 0,
        "all": [row],
        "ctors": [export.name(name, each) for each in constructors],
        "numNested": 0,
        "isRec": False,
        "isReflexive": False,
    }
    ctors = [
        {**common, "name": export.name(name, each), "type": its, "induct": row, "cidx": at, "numFields": fields}
        for at, (each, (its, fields)) in enumerate(constructors.items())
    ]
    rec = {
        **common,
        "name": export.name(name, "rec"),
        "levelParams": [export.name("u")],
        "type": recursor,
        "all": [row],
        "numIndices": 0,
        "numMotives": 1,
        "numMinors": len(constructors) if minors is None else minors,
        "rules": [
            {"ctor": export.name(name, each), "nfields": fields, "rhs": rule}
            for (each, (_, fields)), rule in zip(constructors.items(), rules, strict=True)
        ],
        "k": False,
    }
    block = {"types": [type_value], "ctors": ctors, "recs": [rec]}
    export.lines.append({"inductive": block})
    return block


def with_false() -> Written:
    """A real export with the type `False` added, as Lean would declare it."""
    export = Written(kept("shapes"))
    false = export.const("False")
    motive = export.pi(false, export.sort(export.level(param=export.name("u"))))
    recursor = export.pi(motive, export.pi(false, export.app(export.var(1), export.var(0))))
    # The names and constants of what is added later stand before the declarations.
    export.const("boom")
    inductive(export, "False", export.sort(0), {}, recursor, [])
    return export


def with_two() -> Written:
    """The same with a type that has two constructors: `T.a`, which takes a proof of `False`, and `T.b`."""
    export = with_false()
    false, two, a, b = (export.const(name) for name in ("False", "T", "T.a", "T.b"))
    motive = export.pi(two, export.sort(export.level(param=export.name("u"))))
    v = [export.var(binders) for binders in range(4)]
    of_a, of_b = export.pi(false, export.app(v[1], export.app(a, v[0]))), export.app(v[1], b)
    recursor = export.pi(motive, export.pi(of_a, export.pi(of_b, export.pi(two, export.app(v[3], v[0])))))
    rule_a = export.lam(motive, export.lam(of_a, export.lam(of_b, export.lam(false, export.app(v[2], v[0])))))
    rule_b = export.lam(motive, export.lam(of_a, export.lam(of_b, v[0])))
    type_ = export.sort(export.level(succ=0))
    constructors = {"a": (export.pi(false, two), 1), "b": (two, 0)}
    inductive(export, "T", type_, constructors, recursor, [rule_a, rule_b])
    return export


def _boom(export: Written, value: int) -> bytes:
    export.theorem("boom", export.const("False"), value)
    return export.bytes()


def field_of_two() -> bytes:
    """The field of the first constructor of a value that the second one made."""
    export = with_two()
    return _boom(export, export.proj("T", 0, export.const("T.b")))


def forged_structure() -> bytes:
    """The same, but it is said to be a field of a structure."""
    export = with_two()
    return _boom(export, export.proj("Prod", 0, export.const("T.b")))


def _stranger(part: str) -> dict[str, Any]:
    """A constant of type `False`, as one more constructor or recursor of `False`, or of no type at all."""
    export = with_false()
    block = export.block("False")
    row, false = export.name("boom"), export.name("False")
    stranger = {"name": row, "levelParams": [], "type": export.const("False"), "isUnsafe": False, "numParams": 0}
    if part == "recs":
        more: dict[str, Any] = {"all": [false], "numIndices": 0, "numMotives": 1, "numMinors": 0, "rules": []}
        more["k"] = False
    else:
        more = {"induct": false, "cidx": 0, "numFields": 0}
    return {"export": export, "block": block, "stranger": {**stranger, **more}}


def _with_stranger(part: str) -> bytes:
    made = _stranger(part)
    made["block"][part].append(made["stranger"])
    return _and_use(made["export"])


def _of_nothing(part: str) -> bytes:
    made = _stranger(part)
    made["export"].lines.append({"inductive": {"types": [], "ctors": [], "recs": [], part: [made["stranger"]]}})
    return _and_use(made["export"])


def _and_use(export: Written) -> bytes:
    value = export.const("boom")
    export.theorem("boom2", export.const("False"), value)
    return export.bytes()


def _equal_pairs() -> Written:
    """`boom` says of two pairs with different first parts that they are equal."""
    export = Written(kept("shapes"))
    nat, zero = export.const("Nat"), export.const("Nat.zero")
    one = export.app(export.const("Nat.succ"), zero)
    pairs = export.app(export.const("Prod", 0, 0), nat, nat)
    left, right = (export.app(export.const("Prod.mk", 0, 0), nat, nat, each, zero) for each in (zero, one))
    level = export.level(succ=0)
    equal = export.app(export.const("Eq", level), pairs, left, right)
    export.theorem("boom", equal, export.app(export.const("Eq.refl", level), pairs, left))
    return export


def _changed(name: str, **fields: object) -> bytes:
    """A real export in which the declaration of a name has other fields."""
    export = Written(kept("shapes"))
    declared = export.named(name)
    assert all(declared[field] != value for field, value in fields.items())
    declared.update(fields)
    return export.bytes()


def _swapped(name: str) -> bytes:
    export = Written(kept("shapes"))
    declared = export.named(name)
    declared["levelParams"] = declared["levelParams"][::-1]
    return export.bytes()


def _alone(name: str) -> bytes:
    """One of two types that were declared together is said to be alone, so that nobody checks the other one."""
    export = Written(kept("shapes"))
    declared = export.named(name)
    declared["all"] = [declared["name"]]
    return export.bytes()


def _rule(name: str, **fields: object) -> bytes:
    export = Written(kept("shapes"))
    export.named(name)["rules"][0].update(fields)
    return export.bytes()


def _without_recursor() -> bytes:
    export = Written(kept("shapes"))
    block = export.block("Term")
    block["recs"] = [each for each in block["recs"] if each["name"] != export.name("Block", "rec")]
    return export.bytes()


def field_that_is_a_parameter() -> bytes:
    """Equal pairs whose first parts differ: for who believes that a pair has one field, they are equal."""
    export = _equal_pairs()
    export.named("Prod.mk").update(numFields=1, numParams=3)
    return export.bytes()


def constructor_of_a_constructor() -> bytes:
    """A type whose second constructor asks for a proof about the first one."""
    export = Written(kept("shapes"))
    self_, first, level = export.const("S"), export.const("S.a"), export.level(succ=0)
    type_ = export.sort(level)
    about = export.app(export.const("Eq", level), self_, first, first)
    v = [export.var(binders) for binders in range(4)]
    motive = export.pi(self_, export.sort(export.level(param=export.name("u"))))
    of_a, second = export.app(v[0], first), export.const("S.b")
    of_b = export.pi(about, export.app(v[2], export.app(second, v[0])))
    recursor = export.pi(motive, export.pi(of_a, export.pi(of_b, export.pi(self_, export.app(v[3], v[0])))))
    rule_a = export.lam(motive, export.lam(of_a, export.lam(of_b, v[1])))
    rule_b = export.lam(motive, export.lam(of_a, export.lam(of_b, export.lam(about, export.app(v[1], v[0])))))
    constructors = {"a": (self_, 0), "b": (export.pi(about, self_), 1)}
    block = inductive(export, "S", type_, constructors, recursor, [rule_a, rule_b])
    block["types"][0]["isRec"] = True
    return export.bytes()


FORGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a field of two constructors": (field_of_two, "a field of `T`, which is no structure"),
    "one more recursor": (lambda: _with_stranger("recs"), "`False` contradicts the types: recursors"),
    "one more constructor": (lambda: _with_stranger("ctors"), "`False` contradicts the types: constructors"),
    "a recursor of nothing": (lambda: _of_nothing("recs"), "it declares no inductive type"),
    "a constructor of nothing": (lambda: _of_nothing("ctors"), "it declares no inductive type"),
    "a field that is a parameter": (field_that_is_a_parameter, "`Prod.mk` contradicts the types: parameters"),
    "one field fewer": (lambda: _changed("Prod.mk", numFields=1), "`Prod.mk` contradicts the types: fields"),
    "another place": (lambda: _changed("Prod.mk", cidx=1), "`Prod.mk` contradicts the types: constructors"),
    "another type's": (lambda: _changed("Nat.succ", induct=1), "`Nat.succ` contradicts the types: constructors"),
    "one parameter fewer": (lambda: _changed("Prod", numParams=1, numIndices=1), "contradicts the types: parameters"),
    "one index more": (lambda: _changed("Prod", numIndices=1), "`Prod` contradicts the types: indices"),
    "no recursion": (lambda: _changed("W", isRec=False), "`W` contradicts the types: recursion"),
    "recursion": (lambda: _changed("Prod", isRec=True), "`Prod` contradicts the types: recursion"),
    "k": (lambda: _changed("Prod.rec", k=True), "`Prod.rec` contradicts the types: k"),
    "k of an empty type": (lambda: _changed("Vec.rec", k=True), "`Vec.rec` contradicts the types: k"),
    "one minor fewer": (lambda: _changed("Prod.rec", numMinors=0), "`Prod.rec` contradicts the types: arguments"),
    "one motive more": (lambda: _changed("Prod.rec", numMotives=2), "`Prod.rec` contradicts the types: parameters"),
    "other indices": (lambda: _changed("Vec.rec", numIndices=0), "`Vec.rec` contradicts the types: arguments"),
    "a minor for an index": (lambda: _changed("Vec.rec", numIndices=0, numMinors=3), "`Vec.rec` contradicts"),
    "a rule with fewer fields": (lambda: _rule("Prod.rec", nfields=1), "`Prod.rec` contradicts the types: rules"),
    "a rule of another constructor": (lambda: _rule("Prod.rec", ctor=1), "`Prod.rec` contradicts the types: rules"),
    "swapped universes of a type": (lambda: _swapped("Prod"), "contradicts the types: universe parameters"),
    "swapped universes of a constructor": (lambda: _swapped("Prod.mk"), "`Prod.mk` contradicts the types: universe"),
    "swapped universes of a recursor": (lambda: _swapped("Prod.rec"), "`Prod.rec` contradicts the types: universe"),
    "one of two types alone": (lambda: _alone("Block"), "`Block` contradicts the types: declared together"),
    "a constructor that mentions another one": (constructor_of_a_constructor, "`S.b` contradicts the types: mentions"),
    "a type without recursor": (_without_recursor, "which is not declared before it"),
}


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[], bytes]:
    return lambda: b"\n".join(change(kept("plain").split(b"\n")))


def _first(old: bytes, new: bytes) -> Callable[[], bytes]:
    def change() -> bytes:
        export = kept("plain")
        assert old in export
        return export.replace(old, new, 1)

    return change


def _added(*rows: object) -> Callable[[], bytes]:
    """The rows are JSON or text, with `%ie` and so on for the next number of a table."""

    def change() -> bytes:
        export = Written(kept("plain"))
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        for table in ("in", "il", "ie"):
            text = text.replace(f"%{table}", str(export.add(table, {}))).replace('"next"', "0")
        return kept("plain") + text.encode()

    return change


def _itself() -> bytes:
    export = Written(kept("plain"))
    export.theorem("more", export.sort(0), export.const("more"))
    return export.bytes()


def _undeclared() -> bytes:
    export = Written(kept("plain"))
    export.theorem("more", export.sort(0), export.pi(export.sort(0), export.const("missing")))
    return export.bytes()


def _literal(kind: str, text: str) -> bytes:
    export = Written(kept("plain"))
    export.theorem("more", export.sort(0), export.row("ie", {kind: text}))
    return export.bytes()


def _quotient(name: str, kind: str) -> bytes:
    export = Written(kept("plain"))
    row = export.name(name)
    export.lines.append({"quot": {"name": row, "levelParams": [], "type": export.sort(0), "kind": kind}})
    return export.bytes()


_AGAIN = _lines(lambda lines: [*lines[:-2], lines[-2], lines[-2], b""])

DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "it is empty"),
    "an empty line": (lambda: b"\n", "line 1: it is no JSON"),
    "no first line": (_lines(lambda lines: lines[1:]), "line 1: `the first line` has no `meta`"),
    "the first line twice": (_lines(lambda lines: [lines[0], *lines]), "line 2: `'meta'` is no kind of declaration"),
    "an older format": (_first(b'"3.1.0"', b'"3.0.0"'), "of format '3.0.0', and only 3.1 is known"),
    "a newer format": (_first(b'"3.1.0"', b'"3.2.0"'), "of format '3.2.0', and only 3.1 is known"),
    "half a format": (_first(b'"3.1.0"', b'"3.1"'), "of format '3.1', and only 3.1 is known"),
    "no final newline": (lambda: kept("plain")[:-1], "the last line has no end"),
    "one more newline": (lambda: kept("plain") + b"\n", "it is no JSON"),
    "Windows' line ends": (lambda: kept("plain").replace(b"\n", b"\r\n"), "line 1: a control character"),
    "a NUL": (lambda: kept("plain") + b"\0\n", "a control character stands in it"),
    "a byte order mark": (lambda: b"\xef\xbb\xbf" + kept("plain"), "line 1: it is no JSON"),
    "UTF-16": (lambda: kept("plain").decode().encode("utf-16"), "line 1: a control character"),
    "no UTF-8": (_first(b'"target"', b'"t\xff"'), "it is not UTF-8"),
    "something beside the object": (_first(b"}}\n", b"}} {}\n"), "line 1: it is no JSON"),
    "a list": (_added([1]), "it is no JSON object"),
    "a key twice": (_first(b'"ie":0', b'"ie":0,"ie":0'), "a key stands twice in it"),
    "a key twice inside": (_first(b'"pre":0', b'"pre":0,"pre":0'), "a key stands twice in it"),
    "a fraction": (_first(b'"ie":0', b'"ie":0.0'), "no natural number below 2^32: 0.0"),
    "an exponent": (_first(b'"ie":0', b'"ie":0e0'), "no natural number below 2^32: 0e0"),
    "a negative zero": (_first(b'"ie":0', b'"ie":-0'), "no natural number below 2^32"),
    "a leading zero": (_first(b'"ie":0', b'"ie":00'), "it is no JSON"),
    "no number": (_first(b'"ie":0', b'"ie":NaN'), "no natural number below 2^32: NaN"),
    "true for one": (_first(b'"ie":0', b'"ie":true'), "`ie` is no natural number"),
    "text for a number": (_first(b'"ie":0', b'"ie":"0"'), "`ie` is no natural number"),
    "a huge number": (_added('{"bvar":4294967296,"ie":%ie}'), "no natural number below 2^32"),
    "a number of many digits": (_added('{"bvar":' + "9" * 10_000 + ',"ie":%ie}'), "no natural number below 2^32"),
    "an unknown field": (_first(b'"str":"target"', b'"str":"target","x":1'), "a field that is not known: `'x'`"),
    "an unknown key": (_first(b'{"in":1', b'{"x":1,"in":1'), "what it is, is not known: it has 'str, x'"),
    "an unknown kind of row": (_added({"thing": 0, "ie": 0}), "`'thing'` is no kind of expression"),
    "an unknown kind of declaration": (_added({"thing": {}}), "`'thing'` is no kind of declaration"),
    "a missing field": (_first(b'"all":[1],', b""), "`thm` has no `all`"),
    "two numbers of a row": (_first(b'{"in":1', b'{"il":1,"in":1'), "what it is, is not known: it has 'il, str'"),
    "half a surrogate pair": (_first(b'"target"', b'"\\ud800"'), "escaped by two halves"),
    "a pair of halves": (_first(b'"target"', b'"\\ud83d\\ude00"'), "escaped by two halves"),
    "a gap": (_first(b'{"in":2', b'{"in":3'), "it is name 3, but the turn is at 2"),
    "a number again": (_first(b'{"in":2', b'{"in":1'), "it is name 1, but the turn is at 2"),
    "a name ahead": (_added('{"in":%in,"str":{"pre":%in,"str":"x"}}'), "which is not there yet"),
    "a level ahead": (_added('{"il":%il,"succ":%il}'), "which is not there yet"),
    "an expression ahead": (_added('{"app":{"arg":%ie,"fn":%ie},"ie":%ie}'), "which is not there yet"),
    "a name twice": (_added('{"in":%in,"str":{"pre":0,"str":"target"}}'), "a name stands twice in it"),
    "a level twice": (_added('{"il":%il,"succ":0}', '{"il":2,"succ":0}'), "a level stands twice in it"),
    "zero as a level": (_added('{"il":0,"succ":0}'), "it is level 0, but the turn is at 1"),
    "an expression twice": (_added('{"ie":%ie,"sort":0}'), "an expression stands twice in it"),
    "a declaration twice": (_AGAIN, "`target` is declared twice"),
    "itself as its proof": (_itself, "it mentions `more`, which is not declared before it"),
    "what is not there": (_undeclared, "it mentions `missing`, which is not declared before it"),
    "a literal without its type": (lambda: _literal("natVal", "1"), "it mentions `Nat`, which is not declared"),
    "a string without its type": (lambda: _literal("strVal", "1"), "it mentions `String`, which is not declared"),
    "a literal with a sign": (_added({"natVal": "+1", "ie": 0}), "`natVal` is no natural number in decimal digits"),
    "a literal with a line": (_added({"natVal": "1_0", "ie": 0}), "`natVal` is no natural number in decimal digits"),
    "a literal in other digits": (
        _added({"natVal": "\u0661", "ie": 0}),
        "`natVal` is no natural number in decimal digits",
    ),
    "an unknown binder": (_first(b'"default"', b'"defaults"'), "the binder info `'defaults'` is not known"),
    "a comment": (_added({"mdata": {"expr": 0, "data": {}}, "ie": 0}), "`'mdata'` is no kind of expression"),
    "deep JSON": (_added("[" * 200_000), "it is nested too deeply"),
    "a universe parameter twice": (_first(b'"levelParams":[]', b'"levelParams":[1,1]'), "stands twice in it"),
    "a universe parameter that is no level": (_first(b'"levelParams":[]', b'"levelParams":[1]'), "of it is no level"),
    "no quotient": (lambda: _quotient("Quot", "ctor"), "it is no part of the quotient type"),
    "no name": (_first(b'"name":1,"type":4', b'"name":0,"type":4'), "it declares what has no name"),
    "an unknown part of the quotient": (lambda: _quotient("Quot", "x"), "it is no part of the quotient type"),
}
