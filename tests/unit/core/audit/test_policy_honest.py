"""What honest people write has no finding: curators' files, and all the proofs that we have recordings of."""

from __future__ import annotations

from typing import Any

import pytest
from support import ROOT, recorded

from streamverify.core.audit.declarations import THEOREMS
from streamverify.core.audit.policy import TokenizedProof, check
from streamverify.core.audit.vocabulary import SHIPPED, Vocabulary
from streamverify.core.syntax.header import parse_header

FILES = sorted((ROOT / "tests" / "honest").glob("*.lean"))
# Of the recordings, these are to fall: an own axiom, `open Lean Meta`, `#eval`, escapes in a string, and two files
# without any theorem.
HAVE_FINDINGS = {
    "core-038-axiom-own": {"axiom"},
    "core-039-header-meta": {"metaprogram"},
    "core-041-header-json": {"eval", "metaprogram"},
    "core-046-unicode": {"literal"},
}
HAVE_NO_THEOREM = {"core-051-empty-body", "core-052-comment-only"}


def _findings(proof: str, vocabulary: Vocabulary = SHIPPED) -> set[tuple[str, int, str]]:
    return {(item.rule, item.line, item.excerpt) for item in check(proof, parse_header(proof), vocabulary)}


def _theorems(proof: str) -> int:
    return sum(item.kind in THEOREMS for item in TokenizedProof(proof, parse_header(proof)).declared())


def test_there_are_honest_files() -> None:
    assert len(FILES) >= 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_curators_file_has_no_finding(path: Any) -> None:
    assert _findings(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nor_with_windows_line_ends(path: Any) -> None:
    assert _findings(path.read_text(encoding="utf-8").replace("\n", "\r\n")) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nor_where_nothing_is_known_of_the_environment(path: Any) -> None:
    nothing = Vocabulary(frozenset(), frozenset(), frozenset())
    assert _findings(path.read_text(encoding="utf-8"), nothing) == set()


def test_no_competition_proof_has_a_finding() -> None:
    proofs = [line["proof"] for line in recorded("goedel")]
    assert len(proofs) >= 15
    assert [found for proof in proofs if (found := _findings(proof))] == []


def test_every_competition_proof_declares_one_theorem() -> None:
    for line in recorded("goedel"):
        assert _theorems(line["proof"]) == 1


def test_of_the_recorded_proofs_without_mathlib_those_fall_that_should() -> None:
    found = {line["custom_id"]: {rule for rule, _, _ in _findings(line["proof"])} for line in recorded("core-lean")}
    assert {name: rules for name, rules in found.items() if rules} == HAVE_FINDINGS


def test_two_recorded_files_have_no_theorem_to_audit() -> None:
    without = set()
    for line in recorded("core-lean"):
        if not _theorems(line["proof"]):
            without.add(line["custom_id"])
    assert without == HAVE_NO_THEOREM
