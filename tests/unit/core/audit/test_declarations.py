"""The full names of what a file declares."""

from __future__ import annotations

import pytest

from streamverify.core.audit.declarations import THEOREMS, Declared
from streamverify.core.audit.policy import TokenizedProof
from streamverify.core.syntax.header import parse_header
from streamverify.core.syntax.names import parts, spelled


def _all(proof: str) -> list[Declared]:
    return TokenizedProof(proof, parse_header(proof)).declared()


def _names(proof: str) -> list[str]:
    return [item.name for item in _all(proof) if item.kind in THEOREMS]


@pytest.mark.parametrize(
    ("proof", "names"),
    [
        ("theorem t : 1 = 1 := rfl", ["t"]),
        ("lemma t : 1 = 1 := rfl", ["t"]),
        ("import Lean theorem t : 1 = 1 := rfl", ["t"]),
        ("theorem t.{u} (a : Type u) : True := trivial", ["t"]),
        ("theorem a.b : True := trivial", ["a.b"]),
        ("theorem\n  t\n  : True := trivial", ["t"]),
        ("@[simp, to_additive t'] protected nonrec theorem t : True := trivial", ["t"]),
        ("/-- theorem a -/ theorem t : True := trivial -- theorem b", ["t"]),
        ('theorem t : "theorem x" = "" := h', ["t"]),
        ("example : True := trivial\ndef theorem' := 1", []),
        ("theorem : True := trivial", [""]),
        ("namespace A\ntheorem t : True := trivial\nend A\ntheorem s : True := trivial", ["A.t", "s"]),
        ("namespace A.B\ntheorem t : True := trivial\nend A.B\ntheorem s : True := trivial", ["A.B.t", "s"]),
        ("namespace A\nnamespace B\ntheorem t : True := h\nend B\ntheorem s : True := h", ["A.B.t", "A.s"]),
        ("namespace A.B\nend B\ntheorem t : True := trivial\nend A\ntheorem s : True := h", ["A.t", "s"]),
        ("namespace A\nnamespace B\nend A.B\ntheorem t : True := trivial", ["t"]),
        ("namespace A\nsection S\ntheorem t : True := h\nend S\ntheorem s : True := h\nend A", ["A.t", "A.s"]),
        ("namespace A\nsection\ntheorem t : True := h\nend\ntheorem s : True := h", ["A.t", "A.s"]),
        ("section\nlemma t : True := h\nend\nlemma s : True := h", ["t", "s"]),
        (
            "namespace A\nmutual\ntheorem t : True := h\ntheorem s : True := h\nend\ntheorem r : True := h",
            ["A.t", "A.s", "A.r"],
        ),
        ("namespace A\ntheorem _root_.t : True := trivial\ntheorem _root_.B.s : True := h", ["t", "B.s"]),
        ("noncomputable section\nnamespace A\npublic section B\ntheorem t : True := h\nend B\nend A\nend", ["A.t"]),
        ("end\nend A.B\ntheorem t : True := trivial", ["t"]),
        ("theorem «x y» : True := trivial\ntheorem a.«b.c» : True := trivial", ["«x y»", "a.«b.c»"]),
        ("theorem «plain» : True := trivial\ntheorem «end» : True := trivial", ["plain", "«end»"]),
        ("namespace «A b»\ntheorem t : True := trivial", ["«A b».t"]),
        ("namespace A\nopen Nat in\ntheorem t : True := trivial", ["A.t"]),
        ("theorem t : ∀ x : Foo.end, True := trivial\ntheorem s : True := h", ["t", "s"]),
    ],
)
def test_full_names(proof: str, names: list[str]) -> None:
    assert _names(proof) == names


def test_places_are_those_of_the_word_that_declares() -> None:
    (first, second) = _all("import Lean\n\n@[simp] theorem t : True := trivial\nprivate def d := 1")
    assert (first.kind, first.line, first.column) == ("theorem", 3, 8)
    assert (second.kind, second.line, second.column) == ("def", 4, 8)


@pytest.mark.parametrize(
    ("proof", "private"),
    [
        ("private theorem t : True := trivial", True),
        ("private noncomputable nonrec theorem t : True := trivial", True),
        ("@[simp] private\n/- here -/ theorem t : True := trivial", True),
        ("private def d := 1\ntheorem t : True := trivial", False),
        ("open private foo in Bar\ntheorem t : True := trivial", False),
        ("theorem t : True := trivial\nprivate theorem s : True := trivial", False),
    ],
)
def test_private(proof: str, private: bool) -> None:  # noqa: FBT001 -- a column of the table
    assert next(item for item in _all(proof) if item.name == "t").private is private


@pytest.mark.parametrize(
    ("proof", "kinds"),
    [
        (
            "def a := 1\nabbrev b := 1\nopaque c : Nat\naxiom d : True",
            [("def", "a"), ("abbrev", "b"), ("opaque", "c"), ("axiom", "d")],
        ),
        ("structure S where\n  x : Nat\nclass C where\n  y : Nat", [("structure", "S"), ("class", "C")]),
        (
            "inductive I\n  | a\nclass inductive J\n  | b\ncoinductive K\n  | c",
            [("inductive", "I"), ("inductive", "J"), ("coinductive", "K")],
        ),
        ("instance : Inhabited Nat := ⟨0⟩", [("instance", "")]),
        ("instance i : Inhabited Nat := ⟨0⟩", [("instance", "i")]),
        ("instance (priority := 100) i : Inhabited Nat := ⟨0⟩", [("instance", "i")]),
        ("instance (priority := low) : Inhabited Nat := ⟨0⟩", [("instance", "")]),
        ("instance (priority", [("instance", "")]),
        ("namespace A\nlocal instance i : Inhabited Nat := ⟨0⟩", [("instance", "A.i")]),
        ("@[instance, class] def d := 1\nattribute [instance] d\nderiving instance Repr for D", [("def", "d")]),
        ("class abbrev A := B", [("abbrev", "A")]),
        ("alias a := b\nirreducible_def c := 1", [("alias", "a"), ("irreducible_def", "c")]),
    ],
)
def test_kinds(proof: str, kinds: list[tuple[str, str]]) -> None:
    assert [(item.kind, item.name) for item in _all(proof)] == kinds


def test_too_deep_a_name_is_not_worked_out() -> None:
    assert _names("namespace a\n" * 257 + "theorem t : True := h\ntheorem _root_.s : True := h") == ["", "s"]
    assert _names("namespace a\n" * 256 + "theorem t : True := h") == ["a." * 256 + "t"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a.«b.c».d", ("a", "b.c", "d")),
        ("«a b»", ("a b",)),
        ("", ()),
        ("..", ()),
        ("«", ()),
    ],
)
def test_parts(name: str, expected: tuple[str, ...]) -> None:
    assert parts(name) == expected


def test_spelled_is_what_lean_reads_back() -> None:
    assert spelled(("a", "b c", "end", "x'", "1")) == "a.«b c».«end».x'.«1»"
    assert parts(spelled(("a", "b.c", "theorem"))) == ("a", "b.c", "theorem")


MODULE = """module
theorem a : 1 = 1 := rfl
public theorem b : 1 = 1 := rfl
@[expose] public section
theorem c : 1 = 1 := rfl
private theorem d : 1 = 1 := rfl
namespace N
theorem e : 1 = 1 := rfl
end N
end
theorem f : 1 = 1 := rfl
public noncomputable section
lemma g : 1 = 1 := rfl
"""


def test_in_a_module_only_what_is_declared_public_is_public() -> None:
    found = _all(MODULE)
    assert {each.name: each.public for each in found} == {
        "a": False, "b": True, "c": True, "d": False, "N.e": True, "f": False, "g": True,
    }  # fmt: skip
    assert [each.name for each in found if each.private] == ["d"]


def test_elsewhere_what_is_not_private_is_public() -> None:
    proof = MODULE.removeprefix("module\n")
    assert [each.name for each in _all(proof) if not each.public] == ["d"]
