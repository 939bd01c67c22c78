from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamverify.core.errors import SourceError
from streamverify.datasets.dataset import DataSet, SourceOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> str:
    file = tmp_path / "set.jsonl"
    rows = [{"problem_id": f"p{n}", "full_proof": f"theorem t{n}", "even": n % 2 == 0} for n in range(20)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def ids(source: str, **options: Any) -> list[str]:
    return [attempt.custom_id for attempt in DataSet.open(source, SourceOptions(**options)).attempts()]


def test_rows_are_chosen_mixed_and_cut_in_this_order(source: str) -> None:
    everything = ids(source)
    assert everything == [f"p{n}" for n in range(20)]
    assert ids(source, offset=18) == ["p18", "p19"]
    assert ids(source, offset=3, limit=2) == ["p3", "p4"]
    assert ids(source, offset=30) == []
    assert ids(source, limit=0) == []
    even = ids(source, where=("even=true",))
    assert even == everything[::2]
    mixed = ids(source, shuffle=True, seed=1)
    assert mixed != everything
    assert sorted(mixed) == sorted(everything)
    assert ids(source, shuffle=True, seed=1, where=("even=true",)) == [name for name in mixed if name in even]
    assert ids(source, shuffle=True, seed=1, offset=2, limit=3) == mixed[2:5]
    assert ids(source, shuffle=True, seed=2) != mixed
    assert ids(source, limit=2, repeat=2) == ["p0@1", "p1@1", "p0@2", "p1@2"]
    assert ids(source, where=("even=true", "problem_id~1")) == ["p10", "p12", "p14", "p16", "p18"]


def test_the_same_numbers_each_time(source: str) -> None:
    dataset = DataSet.open(source, SourceOptions(shuffle=True, repeat=2, limit=5))
    first, again = list(dataset.attempts()), list(dataset.attempts())
    assert first == again
    assert [attempt.number for attempt in first] == list(range(10))
    assert DataSet.open(source, SourceOptions(shuffle=True, repeat=2, limit=5)).identity == dataset.identity


@pytest.mark.parametrize(
    "other",
    [
        {"shuffle": True},
        {"limit": 5},
        {"offset": 1},
        {"where": ("even=true",)},
        {"header": "import A"},
        {"id_column": "full_proof"},
        {"completions": True},
        {"repeat": 2},
        {"request": {"timeout": 5.0}},
    ],
)
def test_what_makes_other_attempts_makes_another_identity(source: str, other: dict[str, Any]) -> None:
    plain = DataSet.open(source).identity
    assert json.loads(json.dumps(plain)) == plain
    assert DataSet.open(source, SourceOptions(**other)).identity != plain


def test_what_makes_no_other_attempts_makes_no_other_identity(source: str) -> None:
    plain = DataSet.open(source).identity
    named = SourceOptions(id_column="problem_id", proof_column="full_proof", form="jsonl", keep_columns=False)
    assert DataSet.open(source, named).identity == plain


def test_a_row_that_cannot_be_read_is_kept_by_every_condition(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text('{"id": 1, "proof": "a"}\nbroken\n{"id": 2, "proof": "b"}\n')
    made = list(DataSet.open(str(file), SourceOptions(where=("id=2",))).attempts())
    assert [(a.custom_id, a.where, bool(a.error)) for a in made] == [
        ("set.jsonl:1", "set.jsonl:2", True),
        ("2", "set.jsonl:3", False),
    ]


def test_how_many_rows_come_is_known_of_parquet(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    pq.write_table(pa.table({"id": range(10), "proof": ["a"] * 10}), file)
    assert DataSet.open(str(file)).total == 10
    assert DataSet.open(str(file), SourceOptions(offset=4, limit=10, repeat=2)).total == 12
    some = DataSet.open(str(file), SourceOptions(where=("id<3",), shuffle=True))
    assert some.total is None
    next(some.attempts())
    assert some.total == 3, "to mix them all were read"
    pq.write_table(pa.table({"id": range(10), "proof": [["a", "b"]] * 10}), file)
    dataset = DataSet.open(str(file))
    made = list(dataset.attempts())
    assert (len(made), dataset.total) == (20, None), "lists make more of them than there are rows"
    assert dataset.schema == pa.schema({"id": pa.int64(), "proof": pa.string()})
    assert pa.Table.from_pylist([a.values for a in made], dataset.schema)["proof"].to_pylist() == ["a", "b"] * 10


def test_without_output_only_what_is_needed_is_read(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    pq.write_table(pa.table({"id": ["1", "2"], "proof": ["a", "b"], "split": ["x", "y"], "big": ["z", "z"]}), file)
    dataset = DataSet.open(str(file), SourceOptions(keep_columns=False, where=("split=y",)))
    (made,) = dataset.attempts()
    assert (made.custom_id, made.values) == ("2", {})


def test_what_was_guessed_and_renamed_is_known(source: str) -> None:
    dataset = DataSet.open(source, SourceOptions(id_column="even"))
    assert dataset.remarks == [
        "columns guessed, as in Lean-workbook-proofs: proof from `full_proof` (--proof-column and its like name others)"
    ]
    # true and false are no ids.
    assert {a.error for a in dataset.attempts()} == {
        "`even` must be a string or an integer, not true",
        "`even` must be a string or an integer, not false",
    }
    assert dataset.renamed == 0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"proof_column": "full_prof"}, "there is no column `full_prof` (--proof-column); did you mean `full_proof`?"),
        ({"where": ("evn=1",)}, "--where: there is no column `evn`; did you mean `even`?"),
        ({"header": "a", "header_column": "even"}, "--header and --header-column: a header comes from one of them"),
    ],
)
def test_wrong_options_are_said(source: str, options: dict[str, Any], error: str) -> None:
    with pytest.raises(SourceError) as raised:
        DataSet.open(source, SourceOptions(**options))
    assert str(raised.value).startswith(error)


@pytest.mark.parametrize(
    "options", [{}, {"limit": 5}, {"repeat": 3}, {"where": ("even=true",)}, {"limit": 4, "repeat": 2, "shuffle": True}]
)
def test_progress_grows_to_the_whole(source: str, options: dict[str, Any]) -> None:
    dataset = DataSet.open(source, SourceOptions(**options))
    shares = [dataset.progress() for _ in dataset.attempts()]
    assert all(share is not None and 0 < share <= 1 for share in shares)
    assert shares == sorted(shares, key=lambda share: share or 0)
    assert dataset.progress() == 1
    assert dataset.total == len(shares)


def test_standard_input_that_was_kept_is_read_as_often_as_wanted(tmp_path: Path) -> None:
    kept = tmp_path / "stdin.copy"
    kept.write_text('{"custom_id": "a", "proof": "x"}\n{"proof": "y"}\n')
    dataset = DataSet.open("-", SourceOptions(form="jsonl", repeat=2), stdin=kept)
    assert [a.custom_id for a in dataset.attempts()] == ["a@1", "stdin:1@1", "a@2", "stdin:1@2"]
    assert len(list(dataset.attempts())) == 4
    assert dataset.remarks == []
    again = tmp_path / "other.copy"
    again.write_bytes(kept.read_bytes())
    assert DataSet.open("-", SourceOptions(form="jsonl", repeat=2), stdin=again).identity == dataset.identity


def test_a_header_on_the_command_line_may_have_lines(source: str) -> None:
    (first, *_) = DataSet.open(source, SourceOptions(header="import A\\nopen B")).attempts()
    assert first.request is not None
    assert first.request.proof == "import A\nopen B\n\ntheorem t0"


@pytest.mark.parametrize("name", ["a\nb", "\udcff", "x" * 70_000, "\x1b[2J", "\u2028", ""])
@pytest.mark.parametrize(
    "open_one",
    [
        lambda _, name: DataSet.open(name),
        lambda _, name: DataSet.open(f"hf://{name}"),
        lambda source, name: DataSet.open(source, SourceOptions(where=(f"{name}=1",))),
        lambda source, name: DataSet.open(source, SourceOptions(id_column=name)),
        lambda source, name: DataSet.open(source, SourceOptions(header_column=name, guess=False)),
    ],
)
def test_every_error_is_one_line(source: str, name: str, open_one: Callable[[str, str], DataSet]) -> None:
    with pytest.raises(SourceError) as raised:
        open_one(source, name)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000
    str(raised.value).encode()
