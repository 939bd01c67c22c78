from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from streamverify.core.datasets.attempts import Attempt, AttemptMaker
from streamverify.core.datasets.columns import Columns
from streamverify.core.datasets.row import Row


def attempts(values: dict[str, Any], columns: Columns, **options: Any) -> list[Attempt]:
    return AttemptMaker("set.jsonl", columns, **options).of(Row(7, "set.jsonl:8", values))


def attempt(values: dict[str, Any], columns: Columns | None = None, **options: Any) -> Attempt:
    (only,) = attempts(values, columns or Columns(id="id", proof="proof", statement="statement"), **options)
    return only


def test_lists_of_proofs_become_attempts_of_one_group() -> None:
    made = attempts({"name": "imo", "proofs": ["a", None, "b"], "x": 1}, Columns(id="name", proof="proofs"))
    assert [(a.number, a.custom_id, a.group, a.values) for a in made] == [
        (0, "imo#0", "imo", {"name": "imo", "proofs": "a", "x": 1}),
        (1, "imo#1", "imo", {"name": "imo", "proofs": None, "x": 1}),
        (2, "imo#2", "imo", {"name": "imo", "proofs": "b", "x": 1}),
    ]
    assert [a.request and (a.request.proof, a.request.group, a.request.first_success) for a in made] == [
        ("a", "imo", False),
        None,
        ("b", "imo", False),
    ]
    assert made[1].error == "`proofs` is null: there is no proof"


def test_attempts_may_be_objects_as_kimina_takes_them() -> None:
    made = attempts({"codes": [{"custom_id": "1", "proof": "a"}, {"code": "b"}, {}]}, Columns(proof="codes"))
    assert [a.request and a.request.proof for a in made] == ["a", "b", None]
    assert made[2].error == "`codes` must be a string, not an object"


def test_an_empty_list_of_proofs_is_one_row_that_says_so() -> None:
    only = attempt({"id": "p", "proof": []})
    assert (only.custom_id, only.request, only.error) == ("p", None, "`proof` is an empty list")


@pytest.mark.parametrize(
    ("value", "custom_id"),
    [
        ("a", "a"),
        (12, "12"),
        (2**80, str(2**80)),
        (12.0, "12"),
        (Decimal("1.50"), "1.50"),
        (b"x", "x"),
        (None, "set.jsonl:7"),
        ("", "set.jsonl:7"),
        (float("nan"), "set.jsonl:7"),
    ],
)
def test_ids_of_every_kind(value: Any, custom_id: str) -> None:
    made = attempt({"id": value, "proof": "x"})
    assert (made.custom_id, made.error) == (custom_id, None)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"id": True, "proof": "x"}, "`id` must be a string or an integer, not true"),
        ({"id": 1.5, "proof": "x"}, "`id` must be a string or an integer, not 1.5"),
        ({"id": {}, "proof": "x"}, "`id` must be a string, not an object"),
        ({"id": "x" * 513, "proof": "x"}, "`id` has more than 512 characters: --id-column names another"),
        ({"id": "\ud800", "proof": "x"}, "`id` has characters that UTF-8 cannot encode (half of a surrogate pair)"),
        ({"id": "1"}, "`proof` is null: there is no proof"),
        ({"id": "1", "proof": " \n"}, "`proof` is empty"),
        ({"id": "1", "proof": 5}, "`proof` must be a string, not a number"),
        ({"id": "1", "proof": b"\xff"}, "`proof` is not UTF-8 (byte 0)"),
        ({"id": "1", "proof": {"text": "x"}}, "`proof` must be a string, not an object"),
        ({"id": "1", "proof": "```python\nx\n```"}, "`proof` has no block of Lean code that is closed"),
        ({"id": "1", "proof": "x", "statement": 5}, "`statement` must be a string, not a number"),
        (
            {"id": "1", "proof": "x\ud800"},
            "`proof` has characters that UTF-8 cannot encode (half of a surrogate pair)",
        ),
    ],
)
def test_a_row_that_cannot_be_sent_says_why(values: dict[str, Any], error: str) -> None:
    made = attempt(values)
    assert (made.request, made.error) == (None, error)
    assert made.values == values
    assert 0 < len(made.custom_id) <= 512


def test_a_row_that_cannot_be_read_keeps_the_id_that_is_known() -> None:
    make = AttemptMaker("lean", Columns(id="path", proof="proof"))
    rows = [Row(0, "a.lean", {"path": "a.lean", "proof": None}, "is not UTF-8"), Row(1, "b.lean", {}, "is not there")]
    assert [(a.custom_id, a.error) for row in rows for a in make.of(row)] == [
        ("a.lean", "a.lean is not UTF-8"),
        ("lean:1", "b.lean is not there"),
    ]


def test_a_header_alone_is_no_proof() -> None:
    # With a header before it, an empty proof would be a file without errors.
    assert attempt({"id": "1", "proof": ""}, header="import Mathlib").error == "`proof` is empty"


def test_a_header_stands_before_what_imports_nothing() -> None:
    columns = Columns(id="id", proof="proof", statement="statement", header="header")
    made = attempt(
        {"id": "1", "proof": "theorem t", "statement": "theorem t :=", "header": "import A\nopen B\n"}, columns
    )
    assert made.request is not None
    assert made.request.proof == "import A\nopen B\n\ntheorem t"
    assert made.request.statement == "import A\nopen B\n\ntheorem t := sorry"
    made = attempt({"id": "1", "proof": "import C\ntheorem t", "header": None}, columns, header="import D")
    assert made.request is not None
    assert made.request.proof == "import C\ntheorem t"
    made = attempt({"id": "1", "proof": "theorem t", "header": None}, columns, header="import D")
    assert made.request is not None
    assert made.request.proof == "import D\n\ntheorem t"


def test_a_statement_gets_the_imports_of_its_proof_and_nothing_else_of_it() -> None:
    made = attempt({"id": "1", "proof": "import A\ndef two := 3\ntheorem t", "statement": "theorem t := by"})
    assert made.request is not None
    assert made.request.statement == "import A\n\ntheorem t := by sorry"


def test_statements_alone_are_verified_as_they_are() -> None:
    made = attempt({"id": "1", "s": "theorem t : 1 = 1 := by\n"}, Columns(id="id", statement="s"), header="import A")
    assert made.request is not None
    assert made.request.proof == "import A\n\ntheorem t : 1 = 1 := by sorry"
    assert made.request.statement is None
    assert attempt({"id": "1", "s": None}, Columns(id="id", statement="s")).error == "`s` is empty"


@pytest.mark.parametrize(
    ("statement", "proof", "file"),
    [
        ("theorem t : p := by\n", "  simp", "theorem t : p := by\n  simp"),
        ("theorem t : p := by", "\n  simp\n  rfl", "theorem t : p := by\n  simp\n  rfl"),
        ("theorem t : p := by", "simp\nrfl", "theorem t : p := by\n  simp\n  rfl"),
        ("theorem t : p := by sorry", "simp\nrfl", "theorem t : p := by\n  simp\n  rfl"),
        ("theorem t : p :=\n  sorry\n", "by simp", "theorem t : p :=\n  by simp"),
        ("theorem t : p :=", "  by simp", "theorem t : p :=  by simp"),
    ],
)
def test_a_proof_may_continue_its_statement(statement: str, proof: str, file: str) -> None:
    columns = Columns(id="id", proof="proof", statement="statement", continues=True)
    made = attempt({"id": "1", "proof": proof, "statement": statement}, columns)
    assert made.request is not None
    assert made.request.proof == file
    assert made.request.statement is not None
    assert made.request.statement.rstrip().endswith("sorry")
    made = attempt({"id": "1", "proof": proof, "statement": ""}, columns)
    assert made.error == "`statement` is empty: there is nothing that the proof continues"


def test_code_is_taken_out_of_its_fences_and_out_of_what_a_model_wrote() -> None:
    made = attempt({"id": "1", "proof": "\n```lean4\ntheorem t\n```\n"})
    assert made.request is not None
    assert made.request.proof == "theorem t"
    text = "I think.\n```lean4\nfirst\n```\nNo:\n```lean4\nsecond\n```"
    made = attempt({"proof": text}, Columns(proof="proof", completion=True))
    assert made.request is not None
    assert made.request.proof == "second"
    # A comment of a Lean file may have a fence in it: the file is the proof.
    file = "/-- An example:\n```lean\nexample : False := h\n```\n-/\ntheorem t"
    made = attempt({"id": "1", "proof": file})
    assert made.request is not None
    assert made.request.proof == file


def test_an_id_that_was_there_gets_the_number_of_its_row() -> None:
    make = AttemptMaker("set", Columns(id="id", proof="proof"))
    rows = ["a", "b", "a", "a~2", ["x"], "a"]
    made = [
        make.of(Row(index, "", {"id": "c" if isinstance(name, list) else name, "proof": "p"}))[0].custom_id
        for index, name in enumerate(rows)
    ]
    assert made == ["a", "b", "a~2", "a~2~3", "c", "a~5"]
    assert make.renamed == 3


def test_attempts_of_two_rows_with_one_id_stay_apart() -> None:
    make = AttemptMaker("set", Columns(id="id", proof="proofs"))
    for index, ids in enumerate([["p#0", "p#1"], ["p~1#0", "p~1#1", "p~1#2"]]):
        made = make.of(Row(index, "", {"id": "p", "proofs": ["x"] * len(ids)}))
        assert [a.custom_id for a in made] == ids
        assert {a.group for a in made} == {ids[0].removesuffix("#0")}
    # An attempt of a list may have the id of another row.
    assert make.of(Row(2, "", {"id": "p#1", "proofs": "x"}))[0].custom_id == "p#1~2"


def test_repeated_rows_have_ids_and_groups_of_their_own() -> None:
    make = AttemptMaker("set", Columns(id="id", proof="proofs", group="problem"))
    first = make.of(Row(0, "", {"id": "p", "proofs": ["x", "y"], "problem": None}), "@1")
    again = make.of(Row(0, "", {"id": "p", "proofs": ["x", "y"], "problem": 3}), "@2")
    assert [(a.number, a.custom_id, a.group) for a in first + again] == [
        (0, "p#0@1", "p@1"),
        (1, "p#1@1", "p@1"),
        (2, "p#0@2", "3@2"),
        (3, "p#1@2", "3@2"),
    ]


def test_long_names_are_shortened_and_stay_unlike_others() -> None:
    made = attempts({"id": "x" * 512, "proofs": ["a", "b"]}, Columns(id="id", proof="proofs"))
    assert all(len(a.custom_id) <= 512 and a.group is not None and len(a.group) <= 128 for a in made)
    assert made[0].custom_id != made[1].custom_id
    assert made[0].group == made[1].group
    assert all(a.request is not None for a in made)


def test_further_fields_and_columns_go_into_the_request() -> None:
    columns = Columns(id="id", proof="proof", theorem="theorem")
    fields = {"timeout": 5.0, "run": "r", "require": "audited"}
    made = attempt({"id": "1", "proof": "x", "theorem": "t"}, columns, fields=fields, keep_values=False)
    assert made.request is not None
    assert made.values == {}
    assert made.request.model_dump(exclude_defaults=True, mode="json") == {
        "custom_id": "1",
        "proof": "x",
        "theorem": "t",
        **fields,
    }
