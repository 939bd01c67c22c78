"""Exports that no exporter writes: each is refused, and what is wrong with it is said."""

from __future__ import annotations

import pytest
from exports import Written, kept
from forged_exports import DAMAGED, FORGED, forged_structure

from streamverify.core.export import AcceptedProof, RefusedProof, UnreadableExport, judge


@pytest.mark.parametrize("name", FORGED)
def test_what_does_not_follow_from_the_types_is_refused(name: str) -> None:
    make, what = FORGED[name]
    export = make()
    for theorem in ("boom", "target"):
        said = judge([export], (theorem,))
        assert isinstance(said, UnreadableExport)
        assert what in said.message
        assert said.which == "proof"
        assert not said.too_large


@pytest.mark.parametrize("name", DAMAGED)
def test_what_readers_may_take_differently_is_refused(name: str) -> None:
    make, what = DAMAGED[name]
    said = judge([make()], ("target",))
    assert isinstance(said, UnreadableExport)
    assert what in said.message
    assert not said.too_large


@pytest.mark.parametrize("name", [*FORGED, *DAMAGED])
def test_a_statement_is_read_as_narrowly(name: str) -> None:
    make, what = (FORGED | DAMAGED)[name]
    said = judge([kept("plain")], ("target",), trusted=[make()])
    assert isinstance(said, UnreadableExport)
    assert what in said.message
    assert said.which == "trusted"


@pytest.mark.parametrize("name", ["Nat.zero", "Nat.succ"])
def test_what_kernels_know_by_name_is_no_definition(name: str) -> None:
    export = Written(kept("plain"))
    export.definition(name, export.sort(export.level(succ=0)), export.sort(0))
    said = judge([export.bytes()], ("target",))
    assert isinstance(said, RefusedProof)
    assert said.reason == "kernel"


def test_an_axiom_whose_name_reads_like_an_allowed_one_is_another() -> None:
    """nanoda joins the parts of a name by dots before it looks for the name among the permitted ones."""
    export = Written()
    prop = export.sort(0)
    all_true = export.pi(prop, export.var(0))
    export.lines.append(
        {
            "axiom": {
                "name": export.add("in", {"str": {"pre": 0, "str": "Quot.sound"}}),
                "levelParams": [],
                "type": all_true,
                "isUnsafe": False,
            }
        }
    )
    sound = export.row("ie", {"const": {"name": export.row("in", {"str": {"pre": 0, "str": "Quot.sound"}}), "us": []}})
    export.theorem("target", all_true, sound)
    said = judge([export.bytes()], ("target",))
    assert isinstance(said, RefusedProof)
    assert (said.reason, said.message) == ("axiom", "The theorem depends on the axiom `«Quot.sound»`.")


@pytest.mark.parametrize("kind", ["axiom", "def", "thm", "ctors"])
def test_unsafe_and_partial_declarations_are_refused(kind: str) -> None:
    export = Written(kept("shapes"))
    if kind == "axiom":
        export.axiom("more", export.sort(0))
    declared = next(export.declared(kind if kind != "thm" else "def"))
    declared.update(
        {"safety": "partial" if kind == "thm" else "unsafe"} if "safety" in declared else {"isUnsafe": True}
    )
    said = judge([export.bytes()], ("target",))
    assert isinstance(said, RefusedProof)
    assert said.reason == "kernel"
    assert "is declared as unsafe or partial" in said.message


def test_a_wrong_value_is_left_to_kernels() -> None:
    export = Written(kept("plain"))
    theorem = next(export.declared("thm"))
    theorem["value"] = theorem["type"]
    assert isinstance(judge([export.bytes()], ("target",), trusted=[kept("plain", "statement")]), AcceptedProof)


def test_a_field_of_a_value_of_another_type_is_left_to_kernels() -> None:
    """What a value is of, only who infers types can say: this is false, and no export is refused for it here."""
    assert isinstance(judge([forged_structure()], ("boom",)), AcceptedProof)
