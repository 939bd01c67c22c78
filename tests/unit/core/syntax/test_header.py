"""Headers are recognised, made canonical, and split from their bodies."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from support import recorded

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import body_of, parse_header

BODY = "theorem t : 1 = 1 := rfl\n"


def modules(proof: str) -> list[str]:
    return [item.module for item in parse_header(proof).imports]


def body(proof: str) -> str:
    return proof[parse_header(proof).end :]


def error(proof: str) -> tuple[str, int, int]:
    with pytest.raises(HeaderError) as caught:
        parse_header(proof)
    return str(caught.value), caught.value.line, caught.value.column


# What is header


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("import Mathlib\n", ["Mathlib"]),
        ("import Mathlib\nimport Aesop\n\n", ["Mathlib", "Aesop"]),
        ("import Mathlib.Tactic import Aesop ", ["Mathlib.Tactic", "Aesop"]),
        ("import\n\n  Mathlib\n", ["Mathlib"]),
        ("import\r\n Mathlib\r\nimport Aesop\r\n\r\n", ["Mathlib", "Aesop"]),
        ("\n \n  import Mathlib -- because\n", ["Mathlib"]),
        ("/- Copyright /- nested -/ -/\nimport Mathlib\n", ["Mathlib"]),
        ("import/- a -/Mathlib/- b -/import/- c -/Aesop\n", ["Mathlib", "Aesop"]),
        ("-- import Not\n/- import Neither -/ import Mathlib\n-- import NotThis\n", ["Mathlib"]),
        ("-- a line ends with \\n alone: \u2028 \x0b \x0c \x85 import Not\nimport Mathlib\n", ["Mathlib"]),
        ("/-/ not yet closed -/ import Mathlib\n", ["Mathlib"]),
        ("/-/-/ import Mathlib\n", ["Mathlib"]),
        ("/- dashes --/ import Mathlib\n", ["Mathlib"]),
        ("import «Mathlib».«Tactic»\n", ["Mathlib.Tactic"]),
        ("import «weird name».X\n", ["«weird name».X"]),
        ("import«Mathlib»import«theorem»\n", ["Mathlib", "«theorem»"]),
        ("import A.«b.c».«1»\n", ["A.«b.c».«1»"]),
        ("import «a\nb»\n", ["«a\nb»"]),
        ("import «all»\n", ["«all»"]),
        ("import allFoo import all.Foo import Foo.all\n", ["allFoo", "all.Foo", "Foo.all"]),
        ("import theorem.foo import imported\n", ["theorem.foo", "imported"]),
        ("import Ünïcode.α₁\n", ["Ünïcode.α₁"]),
        ("import Mathlib\nimport Mathlib\n", ["Mathlib", "Mathlib"]),
        ("import runtime\n", ["runtime"]),
    ],
)
def test_the_imports_of_a_header(header: str, expected: list[str]) -> None:
    assert modules(header + BODY) == expected
    assert body(header + BODY) == BODY


@pytest.mark.parametrize(
    "rest",
    [
        "theorem t : 1 = 1 := rfl",
        "import_foo",
        "imported",
        "import.Foo",
        "import' Foo",
        "import! Foo",
        "import₁ Foo",
        "module",
        "moduleFoo",
        "prelude",
        "prelude_of",
        "public section",
        "public def x := 1",
        "public meta def x := 1",
        "public meta",
        "public",
        "meta section",
        "meta public import A",
        "public public import A",
        "meta meta import A",
        "public\timport A",
        "public /- no end",
        "publicimport A",
        "all A",
        "/-- a doc comment -/ theorem t : 1 = 1 := rfl",
        "/-! a module's doc -/",
        "/-- a doc comment -/ import A",
        "/-- no end",
        "«import» A",
        "\x0cimport A",
        "\xa0import A",
        "\u2028import A",
        "\x00",
        "\ufeffimport A",
        "- import A",
        "#exit import A",
        '"',
        "..A",
        ".{u} A",
        "@[simp] theorem",
        "Import A",
    ],
)
def test_the_header_ends_at_the_first_token_that_is_no_part_of_it(rest: str) -> None:
    for header, expected in (("", []), ("import Mathlib ", ["Mathlib"]), ("import Mathlib\n-- c\n", ["Mathlib"])):
        if (
            header == ""
            and rest.startswith(("\ufeff", "module", "prelude"))
            and rest not in {"moduleFoo", "prelude_of"}
        ):
            continue  # these mean something at the start of a file
        assert modules(header + rest) == expected
        assert body(header + rest) == rest


def test_a_body_on_the_line_of_the_imports_is_body() -> None:
    """E13 of EXPLOITS.md: line-based splitters call this file valid without checking anything."""
    proof = "import Mathlib theorem target : 1 + 1 = 3 := by simp"
    header = parse_header(proof)
    assert header.canonical == "import Mathlib\n"
    assert body_of(proof, header) == " " * 15 + "theorem target : 1 + 1 = 3 := by simp"


def test_the_body_is_not_looked_at() -> None:
    proof = 'import Mathlib\n"no end /- \t \r import 5'
    assert body(proof) == '"no end /- \t \r import 5'


def test_trailing_dots() -> None:
    assert error("import Mathlib.\n" + BODY)[1:] == (1, 14)
    assert error("import Mathlib. Tactic")[1:] == (1, 14)
    assert error("import Mathlib.1")[1:] == (1, 14)
    assert error("import Mathlib.«Tactic\n" + BODY) == ("unterminated identifier escape", 1, 15)
    assert error("import .Mathlib")[1:] == (1, 7)
    assert error("import. Mathlib")[1:] == (1, 6)
    assert body("import Mathlib..Tactic") == "..Tactic"


@pytest.mark.parametrize(
    ("start", "canonical"),
    [
        ("module\n", "module\n"),
        ("/- c -/ module import A\n", "module\nimport A\n"),
        ("module\npublic import A\n", "module\npublic import A\n"),
        ("module meta import A public  meta -- c\n import A.B\n", "module\nmeta import A\npublic meta import A.B\n"),
        ("module\nimport /- c -/ all A\nimport A\n", "module\nimport all A\nimport A\n"),
        ("module meta import all «A»\n", "module\nmeta import all A\n"),
        ("module import A import A public import A import A\n", "module\nimport A\npublic import A\n"),
    ],
)
def test_the_module_system(start: str, canonical: str) -> None:
    for proof_body in (BODY, "public section\n", "public meta def x := 1\n", "meta\n"):
        header = parse_header(start + proof_body)
        assert header.is_module
        assert header.canonical == canonical
        assert (start + proof_body)[header.end :] == proof_body


def test_the_words_of_an_import_are_in_its_fields() -> None:
    first, second = parse_header("module\n  public meta import A import all B").imports
    assert (first.module, first.public, first.meta, first.all, first.line, first.column) == (
        "A",
        True,
        True,
        False,
        2,
        2,
    )
    assert (second.module, second.public, second.meta, second.all, second.line, second.column) == (
        "B",
        False,
        False,
        True,
        2,
        23,
    )


# Errors


@pytest.mark.parametrize(
    ("proof", "message", "line", "column"),
    [
        ("import", "unexpected end of input; expected identifier", 1, 6),
        ("import\n\n", "unexpected end of input; expected identifier", 3, 0),
        ("import A\nimport -- c", "unexpected end of input; expected identifier", 2, 11),
        ("import 5", "unexpected token; expected identifier", 1, 7),
        ("import A\nimport\n  theorem t : 1 = 2 := rfl", "unexpected token; expected identifier", 3, 2),
        ("import import A", "unexpected token; expected identifier", 1, 7),
        ("import public A", "unexpected token; expected identifier", 1, 7),
        ('import "A"', "unexpected token; expected identifier", 1, 7),
        ("import /-- d -/ A", "unexpected token; expected identifier", 1, 7),
        ("import Type", "unexpected token; expected identifier", 1, 7),
        ("import _", "unexpected token; expected identifier", 1, 7),
        ("import \x0cA", "unexpected token; expected identifier", 1, 7),
        ("import «A\nB", "unterminated identifier escape", 1, 7),
        ("/- no /- end -/\nimport A", "unterminated comment", 1, 0),
        ("import A\n /- no end", "unterminated comment", 2, 1),
        ("import /- no end", "unterminated comment", 1, 7),
        ("/-/", "unterminated comment", 1, 0),
        ("/-", "unterminated comment", 1, 0),
        ("\timport A", "tabs are not allowed; please configure your editor to expand them", 1, 0),
        ("import\tA", "tabs are not allowed; please configure your editor to expand them", 1, 6),
        ("import A\n\ttheorem", "tabs are not allowed; please configure your editor to expand them", 2, 0),
        ("-- é🙂\rx\n \rimport A", "isolated carriage returns are not allowed", 2, 1),
        ("import A\r\r\nimport B", "isolated carriage returns are not allowed", 1, 8),
        ("public import A", "cannot use `public import` without `module`", 1, 0),
        ("import A public meta import A", "cannot use `public import` without `module`", 1, 9),
        ("meta import A", "cannot use `meta import` without `module`", 1, 0),
        ("import all A", "cannot use `import all` without `module`", 1, 7),
        ("module public import all A", "cannot use `all` with `public import`", 1, 21),
        ("module import all", "unexpected end of input; expected identifier", 1, 17),
        ("module import all all", "unexpected token; expected identifier", 1, 18),
        ("module\t", "tabs are not allowed; please configure your editor to expand them", 1, 6),
    ],
)
def test_a_syntax_error_in_the_header(proof: str, message: str, line: int, column: int) -> None:
    assert error(proof) == (message, line, column)


@pytest.mark.parametrize(
    "start", ["prelude", "/- c -/\n prelude import A", "module prelude", "prelude/-c-/", "\ufeffprelude"]
)
def test_prelude_is_refused(start: str) -> None:
    message, line, column = error(f"{start}\n{BODY}")
    assert "prelude" in message
    assert f"{start}\n{BODY}".split("\n")[line - 1][column:].startswith("prelude")


# Canonical form and fingerprint


@pytest.mark.parametrize("blank", ["", "\n", BODY, "-- c\n" + BODY, "\ufeff" + BODY, "/- c -/", " "])
def test_a_blank_header(blank: str) -> None:
    header = parse_header(blank)
    assert header.imports == ()
    assert not header.is_module
    assert header.canonical == ""
    assert header.fingerprint == hashlib.sha256(b"").hexdigest()[:32]


def test_the_canonical_form_keeps_order_and_drops_repeats() -> None:
    header = parse_header("-- c\nimport B\nimport «A»   import B.C\r\nimport A\nimport B\n" + BODY)
    assert header.canonical == "import B\nimport A\nimport B.C\n"
    assert len(header.imports) == 5
    assert header.fingerprint == hashlib.sha256(b"import B\nimport A\nimport B.C\n").hexdigest()[:32]


def test_nothing_is_widened_and_order_counts() -> None:
    headers = [
        "import Mathlib",
        "import Mathlib.X",
        "import A import B",
        "import B import A",
        "module import A",
        "import A",
    ]
    assert len({parse_header(header).fingerprint for header in headers}) == len(headers)


def test_the_fingerprint_of_the_common_header_is_a_constant() -> None:
    """Keys on the topic: a change would send every header's proofs to other workers."""
    assert parse_header("import Mathlib\nimport Aesop\n").fingerprint == "8ee5564808c02193701d14924e89848f"


def test_half_a_surrogate_pair_ends_no_worker() -> None:
    assert len(parse_header("import «\ud800»").fingerprint) == 32


# Byte-order mark and positions


def test_a_byte_order_mark_is_skipped_and_counts_as_a_column() -> None:
    proof = "\ufeffimport Mathlib theorem t : 1 = 2 := rfl"
    header = parse_header(proof)
    assert header.canonical == "import Mathlib\n"
    assert (header.imports[0].line, header.imports[0].column) == (1, 1)
    assert body_of(proof, header).index("theorem") == proof.index("theorem") == 16
    assert body_of("\ufefftheorem", parse_header("\ufefftheorem")) == " theorem"


@pytest.mark.parametrize(
    ("proof", "sent"),
    [
        ("import A\n\nx", "        \n\nx"),
        ("import A\r\n\r\n  x\r\n", "        \r\n\r\n  x\r\n"),
        ("/- a\n\nb -/ import A\n/- é🙂\nℵ -/ x", "\n\n             \n/- é🙂\nℵ -/ x"),
        ("import A /- b -/ import C -- d\nx", "                          -- d\nx"),
        ("module -- d\nx", "       -- d\nx"),
        ("-- \u2028\x0b\x85\x0c\nx", "-- \u2028\x0b\x85\x0c\nx"),
        ("import A\n/-- d -/ x", "        \n/-- d -/ x"),
        ("\ufeff-- c\nx", " -- c\nx"),
        ("  x", "  x"),
        ("x", "x"),
        ("", ""),
        ("import A\n-- the end\n", ""),
        ("-- only a comment\n", ""),
        ("module", ""),
    ],
)
def test_the_body_is_padded_to_its_place_in_the_file(proof: str, sent: str) -> None:
    assert body_of(proof, parse_header(proof)) == sent


# Recordings of a real Lean


def positions(value: Any) -> list[tuple[int, int]]:
    """Every line and column in an answer."""
    if isinstance(value, list):
        return [found for item in value for found in positions(item)]
    if not isinstance(value, dict):
        return []
    here = [(value["line"], value["column"])] if "line" in value else []
    return here + [found for item in value.values() for found in positions(item)]


def test_headers_agree_with_real_lean() -> None:
    cases = recorded("core-lean")
    assert cases
    for case in cases:
        header = parse_header(case["proof"])
        assert header.canonical == parse_header(case["header"]).canonical
        assert body(case["proof"]) == body(case["body"])


def test_positions_of_the_padded_body_are_those_of_the_file() -> None:
    compared = 0
    for case in recorded("core-lean"):
        proof = case["proof"]
        header = parse_header(proof)
        sent = body_of(proof, header)
        if not sent or "env" not in case["file_response"] or "error" in str(case["header_response"].get("messages")):
            continue
        # The recorded body began where its first token stands, or with blank lines before it.
        skipped = case["body"].index(proof[header.end :])
        shift = sent[: sent.index(proof[header.end :])].count("\n") - case["body"][:skipped].count("\n")
        moved = [(line + shift, column) for line, column in positions(case["body_response"])]
        assert moved == positions(case["file_response"]), case["custom_id"]
        compared += len(moved)
    assert compared > 10


def test_every_recorded_file_of_goedel_imports_mathlib() -> None:
    for case in recorded("goedel"):
        header = parse_header(case["proof"])
        assert header.canonical in {"import Mathlib\n", "import Mathlib\nimport Aesop\n"}
        assert not header.is_module
        sent = body_of(case["proof"], header)
        assert sent.split("\n")[-1] == case["proof"].split("\n")[-1]
        assert sent.count("\n") == case["proof"].count("\n")
