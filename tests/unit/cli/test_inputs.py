"""Reading what was named on the command line."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streamverify.cli.errors import InputError
from streamverify.cli.inputs import Inputs, Item, Overrides, in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = b'{"custom_id": "1", "proof": "theorem t : 1 = 1 := rfl"}'


def read(*names: Path | str, overrides: Overrides | None = None) -> list[Item]:
    return list(Inputs.find([str(name) for name in names], overrides or Overrides()).read())


def write(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_a_bad_line_is_told_with_its_place_and_the_others_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", GOOD + b"\n\nnot json\n" + b'{"proof": "x"}\r\n' + GOOD)
    items = read(file)
    assert [item.where.rpartition(":")[2] for item in items] == ["1", "3", "4", "5"]
    assert [item.request is None for item in items] == [False, True, True, False]
    assert items[1].where == f"{file}:3"
    assert "not valid JSON" in (items[1].error or "")
    assert "custom_id" in (items[2].error or "")


def test_how_large_a_proof_may_be_is_not_judged_here(tmp_path: Path) -> None:
    value = orjson.dumps({"custom_id": "1", "proof": "x" * 9_000_000})
    [item] = read(write(tmp_path, "a.jsonl", value))
    assert item.request is not None


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
def test_without_a_telling_name_the_content_decides(tmp_path: Path, content: bytes, ids: list[str]) -> None:
    file = write(tmp_path, "proofs.txt", content)
    requests = [item.request for item in read(file)]
    assert [request and request.custom_id for request in requests] == [name.format(name=file) for name in ids]


def test_a_sniffed_lean_file_keeps_its_blank_lines(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf\n \ntheorem t : 1 = 1 := rfl\n"
    [item] = read(write(tmp_path, "proof", content))
    assert item.request is not None
    assert item.request.proof.encode() == content


def test_stdin_is_jsonl_or_one_lean_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, where in ((GOOD, "stdin:1"), (b"theorem t : 1 = 1 := rfl", "stdin")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
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
    assert Inputs.find([str(file)], Overrides()).total == len(GOOD)
    assert Inputs.find([str(file), "-"], Overrides()).total is None


def test_the_command_line_is_over_the_request(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", b'{"custom_id": "1", "proof": "", "timeout": 5, "require": "audited"}')
    [item] = read(file, overrides=Overrides(timeout=9.0))
    assert item.request is not None
    assert (item.request.timeout, item.request.require) == (9.0, "audited")


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), float("inf")])
def test_a_timeout_must_be_above_zero(timeout: float) -> None:
    with pytest.raises(InputError, match="--timeout"):
        Overrides(timeout=timeout)


async def test_in_thread_keeps_order_and_holds_back_a_fast_source() -> None:
    produced: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(5000):
            produced.append(number)
            yield number

    source: Any = in_thread(numbers())
    assert await anext(source) == 0
    assert len(produced) < 5000
    assert [number async for number in source] == list(range(1, 5000))


async def test_in_thread_passes_an_error_on_after_what_came_before() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    source: Any = in_thread(broken())
    assert await anext(source) == 1
    with pytest.raises(OSError, match="gone"):
        await anext(source)
