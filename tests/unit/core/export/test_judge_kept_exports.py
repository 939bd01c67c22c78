"""Exports that a real Lean and a real exporter made (`tests/data/exports`), and the outcomes of reading them."""

from __future__ import annotations

import pytest
from exports import KEPT, META, Written, kept
from oracle.exporting import CASES, Case, cases

from streamverify.core.export import AcceptedProof, RefusedProof, UnreadableExport, judge, needed

ALL = cases()


def _says(case: Case, *, compared: bool = True) -> str:
    trusted = [case.kept("statement").read_bytes()] if compared else None
    said = judge([case.kept("proof").read_bytes()], case.theorem, trusted=trusted)
    if isinstance(said, RefusedProof):
        assert said.message.endswith(".")
        assert "\n" not in said.message
        return f"refused {said.reason}"
    return "accepted" if isinstance(said, AcceptedProof) else f"unreadable {said.message}"


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_each_is_judged_as_it_says(case: Case) -> None:
    assert _says(case) == case.says


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_a_statement_is_never_its_own_proof(case: Case) -> None:
    """Every one rests on `sorryAx`: compared with itself, it is the same, and it proves nothing."""
    statement = case.kept("statement").read_bytes()
    said = judge([statement], case.theorem, trusted=[statement])
    if case.theorem == ("a.b",):
        # No text names it to the exporter: what is in the export is `a.b`, which mentions `«a.b»`.
        assert isinstance(said, RefusedProof)
        return
    assert isinstance(said, RefusedProof)
    assert said.reason == "axiom"
    assert "sorryAx" in said.message


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_without_a_statement_meaning_is_not_asked(case: Case) -> None:
    said = _says(case, compared=False)
    if needed([case.kept("proof").read_bytes()]):
        assert said.startswith("unreadable There is nothing to compare the proof's `")
    elif case.says == "refused statement_mismatch":
        assert said == "accepted"
    else:
        assert said == case.says


def test_axioms_are_named() -> None:
    said = judge([kept("three_axioms")], ("target",), trusted=[kept("three_axioms", "statement")])
    assert isinstance(said, AcceptedProof)
    assert said.axioms == ("Classical.choice", "Quot.sound", "propext")
    assert said.compared > 10


def test_recursors_may_stand_in_any_order() -> None:
    export = Written(kept("shapes"))
    motive = export.const("Rose.rec_1", 0, 0)
    export.theorem("more", motive, motive)
    statement = export.bytes()
    for name in ("Rose", "Term", "Even"):
        export.block(name)["recs"].reverse()
    assert export.bytes() != statement
    said = judge([export.bytes()], ("more",), trusted=[statement])
    assert isinstance(said, AcceptedProof)
    assert said.compared > 3


def test_recursors_of_private_types_correspond_by_their_place() -> None:
    """Both mention a recursor, of the type and of what is nested in it."""

    def about(recursor: str) -> bytes:
        export = Written(kept("shapes").replace(b'"str":"Rose"', b'"str":"_Rose"'))
        mentioned = export.const(recursor, 0, 0)
        export.theorem("more", mentioned, mentioned)
        return export.bytes()

    other_name = about("_Rose.rec_1").replace(b'"str":"_Rose"', b'"str":"_Other"')
    assert isinstance(judge([other_name], ("more",), trusted=[about("_Rose.rec_1")]), AcceptedProof)
    said = judge([about("_Rose.rec")], ("more",), trusted=[other_name])
    assert isinstance(said, RefusedProof)
    assert said.reason == "statement_mismatch"


def test_a_header_without_the_theorem_is_compared_with_what_kernels_know() -> None:
    header = kept("literals", "statement")
    said = judge([kept("literals")], ("target",), trusted=[header], stated=False)
    assert isinstance(said, AcceptedProof)
    assert said.compared == 0


def test_a_statement_without_the_theorem_is_no_statement() -> None:
    said = judge([kept("plain")], ("target",), trusted=[Written().bytes()])
    assert said == UnreadableExport("The statement's export has no theorem `target`.", "trusted")


def test_what_the_header_lacks_is_the_proofs_own() -> None:
    said = judge([kept("literals")], ("target",), trusted=[kept("plain", "statement")], stated=False)
    assert isinstance(said, RefusedProof)
    assert said.reason == "kernel"
    assert "which the header does not have" in said.message


def test_whole_lines_that_are_cut_off_are_missed() -> None:
    """Kernels accept all of these: an export has no end of its own, and the theorem is its last line."""
    for name in ("plain", "three_axioms", "let_and_projections"):
        lines = kept(name).splitlines(keepends=True)
        for count in range(len(lines)):
            said = judge([b"".join(lines[:count])], ("target",))
            assert not isinstance(said, AcceptedProof), (name, count)


def test_every_case_has_its_exports_and_every_export_its_case() -> None:
    exports = {file.name for file in CASES.glob("*.ndjson")}
    assert exports == {case.kept(which).name for case in ALL for which in ("statement", "proof")}
    assert KEPT == CASES


def test_the_first_line_is_of_the_known_exporter() -> None:
    assert Written(kept("plain")).lines[0]["meta"].keys() == META["meta"].keys()
