from __future__ import annotations

import pytest
from support import ROOT

from streamverify.core.datasets.columns import COMPLETIONS, HEADERS, IDS, KNOWN, PROOFS, STATEMENTS, Columns, choose
from streamverify.core.errors import SourceError

MINIF2F = ["name", "split", "informal_prefix", "formal_statement", "goal", "header"]


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["problem_id", "full_proof"], Columns("problem_id", "full_proof")),
        (["custom_id", "proof"], Columns("custom_id", "proof")),
        (
            ["custom_id", "proof", "statement", "group", "theorem"],
            Columns("custom_id", "proof", "statement", theorem="theorem", group="group"),
        ),
        (["id", "code"], Columns("id", "code")),
        (["uuid", "code"], Columns("uuid", "code")),
        ([*MINIF2F, "proof"], Columns("name", "proof", "formal_statement", "header")),
        ([*MINIF2F, "model_outputs"], Columns("name", "model_outputs", "formal_statement", "header", completion=True)),
        (["id", "code", "formal_statement", "header"], Columns("id", "code", "formal_statement", "header")),
        (["name", "formal_statement", "informal_prefix"], Columns("name", None, "formal_statement")),
        (MINIF2F, Columns("name", None, "formal_statement", "header")),
        (
            ["name", "split", "formal_statement", "goal", "header", "formal_proof"],
            Columns("name", "formal_proof", "formal_statement", "header", continues=True),
        ),
        (
            ["natural_language_statement", "answer", "tags", "formal_statement", "split", "proof"],
            Columns(None, "proof", "formal_statement"),
        ),
        (
            ["uuid", "problem", "formal_statement", "formal_ground_truth", "ground_truth_type", "formal_proof"],
            Columns("uuid", "formal_proof", "formal_statement"),
        ),
        (["name", "code"], Columns("name", "code", group="name")),
        (
            ["problem_id", "origin_problem_id", "id_maps", "lean4_code", "model_input", "model_output", "full_code"],
            Columns("problem_id", "full_code", "lean4_code", group="origin_problem_id"),
        ),
        (
            ["id", "nl_statement", "nl_proof", "lean4_src_header", "lean4_formalization"],
            Columns("id", None, "lean4_formalization", "lean4_src_header"),
        ),
        (["name", "lean4_statement", "informal_statement", "tags"], Columns("name", None, "lean4_statement")),
        (
            ["id", "split", "formal_statement", "header", "informal_stmt"],
            Columns("id", None, "formal_statement", "header"),
        ),
        (["prompt", "response"], Columns(None, "response", completion=True)),
        (["path", "proof"], Columns("path", "proof")),
    ],
)
def test_columns_of_well_known_sets(names: list[str], columns: Columns) -> None:
    chosen, remarks = choose(names, Columns())
    assert chosen == columns
    # What is called as in a request needs no word.
    assert bool(remarks) is ("custom_id" not in names)


def test_every_known_set_is_known_by_its_own_columns() -> None:
    for known in KNOWN:
        names = [*known.columns.used.values(), *known.also]
        assert next(other for other in KNOWN if other.is_of(names)) is known


def test_what_is_named_is_not_guessed() -> None:
    chosen, remarks = choose(["a", "b", "proof", "id"], Columns(id="a", proof="b"))
    assert (chosen, remarks) == (Columns(id="a", proof="b"), [])
    chosen, remarks = choose(["problem_id", "full_proof", "mine"], Columns(id="mine"))
    assert chosen == Columns(id="mine", proof="full_proof")
    assert remarks == [
        "columns guessed, as in Lean-workbook-proofs: proof from `full_proof` (--proof-column and its like name others)"
    ]
    assert choose(["id", "proof", "statement"], Columns(proof="proof"), guess=False)[0] == Columns(proof="proof")


def test_a_column_is_guessed_for_one_part_only() -> None:
    assert choose(["id", "statement"], Columns(proof="statement"))[0] == Columns(id="id", proof="statement")


@pytest.mark.parametrize(
    ("names", "given", "error"),
    [
        (
            ["problem_id", "full_proof"],
            Columns(proof="full_prof"),
            (
                "there is no column `full_prof` (--proof-column); did you mean `full_proof`? "
                "there are `problem_id`, `full_proof`"
            ),
        ),
        (["a", "b"], Columns(), "no column is known to have proofs: name it with --proof-column; there are `a`, `b`"),
        (["proof"], Columns(continues=True), "proofs that continue a statement need its column: --statement-column"),
    ],
)
def test_wrong_columns_are_said(names: list[str], given: Columns, error: str) -> None:
    with pytest.raises(SourceError) as raised:
        choose(names, given)
    assert str(raised.value) == error


def test_the_page_has_the_tables_that_are_here() -> None:
    page = (ROOT / "docs" / "datasets.md").read_text("utf-8")
    guessed = {"id": IDS, "proof": PROOFS, "statement": STATEMENTS, "header": HEADERS}
    for part, names in {**guessed, "what a model wrote, with the proof in it": COMPLETIONS}.items():
        assert f"| {part} | {', '.join(f'`{name}`' for name in names)} |\n" in page
    rows = [line for line in page.split("\n") if line.startswith("|")]
    for known in KNOWN:
        names = [*known.columns.used.values(), *known.also]
        assert any(all(f"`{name}`" in row for name in names) for row in rows), known.name
