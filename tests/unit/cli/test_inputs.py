"""Reading what was named on the command line."""

from __future__ import annotations

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streamverify.cli import inputs
from streamverify.cli.errors import InputError
from streamverify.cli.input_options import InputOptions
from streamverify.cli.inputs import Inputs, Item
from streamverify.cli.overrides import ColumnNames, Overrides
from streamverify.core.messages.codec import RequestLimits

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = RequestLimits(max_proof_bytes=1000)
GOOD = b'{"custom_id": "1", "proof": "theorem t : 1 = 1 := rfl"}'


def read(*names: Path | str, overrides: Overrides | None = None, **others: Any) -> list[Item]:
    return list(Inputs.find([str(name) for name in names], LIMITS, overrides or Overrides(), **others).read())


def write(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def give_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_bad_line_is_told_with_its_place_and_the_others_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", GOOD + b"\n\nnot json\n" + b'{"proof": "x"}\r\n' + GOOD)
    items = read(file)
    assert [item.where.rpartition(":")[2] for item in items] == ["1", "3", "4", "5"]
    assert [item.request is None for item in items] == [False, True, True, False]
    assert items[1].where == f"{file}:3"
    assert "not valid JSON" in (items[1].error or "")
    assert "custom_id" in (items[2].error or "")


def test_how_large_a_proof_may_be_is_not_judged_by_the_settings(tmp_path: Path) -> None:
    """That is for the topic and the worker to say: only what no setting could allow is refused."""
    value = orjson.dumps({"custom_id": "1", "proof": "x" * 9_000_000})
    [item] = InputOptions(files=[str(write(tmp_path, "a.jsonl", value))]).find().read()
    assert item.request is not None
    value = orjson.dumps({"custom_id": "1", "proof": "x" * 50_000_001})
    [item] = InputOptions(files=[str(write(tmp_path, "b.jsonl", value))]).find().read()
    assert item.error == "the proof has 50,000,001 bytes, and no setting allows more than 50,000,000"


def test_a_byte_order_mark_before_jsonl_is_passed_over(tmp_path: Path) -> None:
    [item] = read(write(tmp_path, "a.jsonl", b"\xef\xbb\xbf" + GOOD))
    assert item.request is not None


def test_a_lean_file_is_sent_as_it_is_under_its_path(tmp_path: Path) -> None:
    content = "\ufeff-- é\r\nimport Lean\r\n".encode()
    file = write(tmp_path, "a.lean", content)
    [item] = read(file)
    assert item.request is not None
    assert item.request.custom_id == str(file)
    assert item.request.proof.encode() == content
    assert item.size == len(content)


def test_a_lean_file_may_be_empty(tmp_path: Path) -> None:
    [item] = read(write(tmp_path, "a.lean", b""))
    assert item.request is not None
    assert item.request.proof == ""


def test_a_lean_file_that_is_not_utf8_is_unusable(tmp_path: Path) -> None:
    [item] = read(write(tmp_path, "a.lean", b"theorem \xff"))
    assert item.request is None
    assert item.error == "is not UTF-8 (byte 8)"


def test_a_folder_is_read_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.lean", "a/z.lean", ".lake/x.lean", "a/.hidden.lean", "notes.txt"):
        write(tmp_path, name, b"-- x")
    write(tmp_path, "c.jsonl", GOOD)
    names = [item.where.removeprefix(f"{tmp_path}/") for item in read(tmp_path)]
    assert names == ["a/z.lean", "b.lean", "c.jsonl:1"]


def test_what_is_named_twice_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path, "a.lean", b"-- x")
    assert len(read(tmp_path, file, file)) == 1


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (GOOD + b"\n" + GOOD, ["1", "1"]),
        (b"\n \n" + GOOD, ["1"]),
        (b"\n\ntheorem t : 1 = 1 := rfl\n", ["{name}"]),
        (b"", []),
    ],
)
def test_without_a_name_the_content_decides(monkeypatch: pytest.MonkeyPatch, content: bytes, ids: list[str]) -> None:
    give_stdin(monkeypatch, content)
    requests = [item.request for item in read("-")]
    assert [request and request.custom_id for request in requests] == [name.format(name="stdin") for name in ids]


def test_a_lean_file_from_a_pipe_keeps_its_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\xef\xbb\xbf\n \ntheorem t : 1 = 1 := rfl\n"
    give_stdin(monkeypatch, content)
    [item] = read("-")
    assert item.request is not None
    assert item.request.proof.encode() == content


def test_a_json_array_from_a_pipe_is_no_lean_file(monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, b" [{}]")
    [item] = read("-")
    assert item.request is None
    assert "array" in (item.error or "")


@pytest.mark.parametrize("name", ["p.csv", "arr.json", "notes.txt", "p.jsonl.gz", "proof", "a.lean.bak", "x.parquet"])
def test_a_file_of_another_ending_is_sent_only_where_it_is_said_what_it_is(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, name, GOOD)
    with pytest.raises(InputError, match=r"neither \.lean nor \.jsonl: say what it is with --format"):
        read(file)
    [as_jsonl], [as_lean] = read(file, form="jsonl"), read(file, form="lean")
    assert as_jsonl.request is not None
    assert as_jsonl.request.custom_id == "1"
    assert as_lean.request is not None
    assert as_lean.request.proof.encode() == GOOD


def test_a_pipe_with_a_name_is_read_like_stdin(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        wrote = pool.submit(pipe.write_bytes, GOOD)
        [item] = read(pipe)
        wrote.result()
    assert item.request is not None
    assert item.request.custom_id == "1"


def test_no_line_is_read_beyond_what_a_request_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "_MAX_LINE", 2000)
    file = write(tmp_path, "a.jsonl", b"x" * 50_000 + b"\n" + GOOD + b"\n" + b"y" * 50_000)
    first, second, third = read(file)
    assert [first.request is None, second.request is None, third.request is None] == [True, False, True]
    assert first.size == third.size == 2000 + 6 * LIMITS.max_proof_bytes
    assert "more than" in (first.error or "")


def test_a_lean_file_beyond_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    [item] = read(write(tmp_path, "a.lean", "é".encode() * 5000))
    assert item.size == LIMITS.max_proof_bytes + 1
    assert item.error == "has more than 1,000 bytes, which no setting allows"


def test_a_limit_stops_the_reading(tmp_path: Path) -> None:
    assert len(read(write(tmp_path, "a.jsonl", (GOOD + b"\n") * 9), limit=4)) == 4


COLUMNS = ColumnNames("problem_id", "full_proof", "formal_statement")


def test_columns_are_read_under_the_names_that_they_have(tmp_path: Path) -> None:
    line = {"problem_id": 7, "full_proof": "-- p", "formal_statement": "-- s", "custom_id": "x", "timeout": 5}
    [item] = read(write(tmp_path, "a.jsonl", orjson.dumps(line)), columns=COLUMNS)
    assert item.request is not None
    found = item.request.custom_id, item.request.proof, item.request.statement, item.request.timeout
    assert found == ("7", "-- p", "-- s", 5)


@pytest.mark.parametrize("line", [b'{"problem_id": 1}', b'{"a": 1, "b": 2}', b"{}"])
def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, line: bytes) -> None:
    [item] = read(write(tmp_path, "a.jsonl", line), columns=COLUMNS)
    assert item.request is None
    assert "there is no column `" in (item.error or "")


@pytest.mark.parametrize("line", [b"[1]", b"7", b"nonsense", b'"text"'])
def test_columns_of_what_is_no_object(tmp_path: Path, line: bytes) -> None:
    for columns in (COLUMNS, ColumnNames()):
        [item] = read(write(tmp_path, "a.jsonl", line), columns=columns)
        assert item.request is None


def test_usual_columns_are_guessed_and_that_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    file = write(tmp_path, "a.jsonl", b'{"id": 1, "proof": "-- x"}\n{"id": 2, "code": "-- y"}\n' * 3)
    items = read(file, say=said.append)
    assert [item.request and item.request.custom_id for item in items] == ["1", "2"] * 3
    assert said == [f"{file}:1: no `custom_id`: `id` is taken for it (--id-column names another)"]
    said.clear()
    read(write(tmp_path, "b.jsonl", b'{"custom_id": 2, "code": "-- y"}'), say=said.append)
    assert said == [f"{tmp_path}/b.jsonl:1: no `proof`: `code` is taken for it (--proof-column names another)"]


def test_an_id_beside_a_custom_id_is_no_guess(tmp_path: Path) -> None:
    [item] = read(write(tmp_path, "a.jsonl", b'{"id": 1, "custom_id": "a", "proof": ""}'))
    assert item.request is not None
    assert item.request.custom_id == "a"
    assert item.remark is None


def test_stdin_is_jsonl_or_one_lean_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, where in ((GOOD, "stdin:1"), (b"theorem t : 1 = 1 := rfl", "stdin")):
        give_stdin(monkeypatch, content)
        [item] = read("-")
        assert item.where == where
        assert item.request is not None


def test_what_is_not_there_is_told_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path, "a.lean", b"")
    with pytest.raises(InputError, match=r"no file or folder .*nope"):
        read(tmp_path / "a.lean", tmp_path / "nope")


def test_a_folder_without_proofs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.lean or \.jsonl file"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_unusable(tmp_path: Path) -> None:
    file = write(tmp_path, "a.lean", b"")
    file.chmod(0)
    [item] = read(file)
    assert item.error == "cannot be read: Permission denied"


def test_the_total_is_known_for_files_alone(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", GOOD)
    assert Inputs.find([str(file)], LIMITS, Overrides()).total == len(GOOD)
    assert Inputs.find([str(file), "-"], LIMITS, Overrides()).total is None


def test_the_command_line_is_over_the_request(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", b'{"custom_id": "1", "proof": "", "timeout": 5, "require": "audited"}')
    [item] = read(file, overrides=Overrides(timeout=9.0))
    assert item.request is not None
    assert (item.request.timeout, item.request.require) == (9.0, "audited")


def test_what_is_said_of_every_request_is_in_each(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", b'{"custom_id": "1", "proof": "", "metadata": {"a": 1, "b": 2}, "theorem": "x"}')
    given = Overrides(
        run="r", prefix_ids=True, theorem="t", statement="theorem t : True := sorry", metadata={"b": "3", "c": "="}
    )
    [item] = read(file, overrides=given)
    assert item.request is not None
    assert item.request.model_dump(exclude_defaults=True) == {
        "custom_id": "r/1",
        "run": "r",
        "proof": "",
        "theorem": "t",
        "statement": "theorem t : True := sorry",
        "metadata": {"a": 1, "b": "3", "c": "="},
    }


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"statement": "x" * 990}, 100),
        ({"metadata": {"a": "x" * 4000}, "run": "r"}, 1),
        ({"run": "r" * 128, "prefix_ids": True}, 1),
    ],
)
def test_a_request_that_it_makes_too_large_is_unusable(tmp_path: Path, given: dict[str, Any], size: int) -> None:
    line = {"custom_id": "c" * 400, "proof": "x" * size, "metadata": {"m": "y" * 200}}
    [item] = read(write(tmp_path, "a.jsonl", orjson.dumps(line)), overrides=Overrides(**given))
    assert item.request is None
    assert item.error


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"run": "r" * 129}, "--run"),
        ({"run": ""}, "--run"),
        ({"run": "\udcff"}, "--run"),
        ({"theorem": "t" * 513}, "--theorem"),
        ({"theorem": " "}, "--theorem"),
        ({"statement": ""}, "--statement"),
        ({"metadata": {"a": "x" * 4097}}, "--metadata"),
        ({"metadata": {"\udcff": "x"}}, "--metadata"),
        ({"prefix_ids": True}, "--prefix-ids"),
    ],
)
def test_what_no_request_may_have_is_refused_before_anything_is_read(given: dict[str, Any], names: str) -> None:
    with pytest.raises(InputError, match=f"^{names} "):
        Overrides(**given)


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), float("inf")])
def test_a_timeout_must_be_above_zero(timeout: float) -> None:
    with pytest.raises(InputError, match="--timeout"):
        Overrides(timeout=timeout)
