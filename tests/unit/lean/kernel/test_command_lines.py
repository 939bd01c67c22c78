"""The command lines of the steps, and what is read back of a compilation and an exporter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.lean.kernel.command_lines import (
    MODULE,
    OLEAN_FILES,
    askable,
    export_command,
    nanoda_config,
    unknown_constant,
    unpack,
)


def pack(files: dict[str, bytes]) -> bytes:
    return b"".join(b"%b %d\n%b" % (suffix.encode(), len(data), data) for suffix, data in files.items())


@given(st.dictionaries(st.sampled_from(OLEAN_FILES), st.binary(max_size=200)), st.data())
def test_compiled_files_come_back_as_they_were_or_not_at_all(files: dict[str, bytes], data: st.DataObject) -> None:
    sent = pack(files)
    if "olean" in files:
        assert unpack(sent) == files
    else:
        with pytest.raises(ValueError, match="made no"):
            unpack(sent)
    cut = sent[: data.draw(st.integers(0, len(sent)))]
    try:
        found = unpack(cut)
    except ValueError:
        return
    # Between two files it is whole: what is there is then as it was.
    assert found.items() <= files.items()


@given(st.binary(max_size=300))
def test_whatever_a_process_sends_back_is_files_or_one_error(sent: bytes) -> None:
    try:
        files = unpack(sent)
    except ValueError:
        return
    assert set(files) <= set(OLEAN_FILES)


def test_a_file_that_is_sent_twice_is_none() -> None:
    with pytest.raises(ValueError, match="not whole"):
        unpack(b"olean 1\nxolean 1\ny")


def test_each_exporter_is_asked_in_its_own_way() -> None:
    assert export_command("olean-export", ["/x/olean-export"], ["A.t", "-o"]) == [
        "/x/olean-export",
        MODULE,
        "--quiet",
        "--jobs=1",
        "--const=A.t",
        # A name that looks like an option is none.
        "--const=-o",
    ]
    assert export_command("leanexport", ["/x/leanexport"], ["A.t"]) == ["/x/leanexport", MODULE, "--", "A.t"]


@pytest.mark.parametrize(
    ("kind", "name", "asked"),
    [
        ("olean-export", ("A", "t"), "A.t"),
        ("olean-export", ("A.t",), None),
        ("olean-export", ("1",), None),
        ("leanexport", ("A.t",), "«A.t»"),
        ("lean4export", ("A", "t"), "A.t"),
    ],
)
def test_a_name_that_an_exporter_cannot_be_asked_for_is_known(
    kind: str, name: tuple[str, ...], asked: str | None
) -> None:
    assert askable(kind, name) == asked


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("error: unknown constant Nat.add\n", "Nat.add"),
        ("PANIC at Export\nConstant Nat.gcd not found in environment.\n", "Nat.gcd"),
        ("error: module Proof not found on LEAN_PATH\n", None),
        ("", None),
    ],
)
def test_what_an_exporter_does_not_know_is_read_from_its_words(said: str, name: str | None) -> None:
    assert unknown_constant(said) == name


def test_nanoda_is_told_the_axioms_and_to_stop_at_any_other() -> None:
    config = json.loads(nanoda_config(Path("/a b/proof.ndjson")))
    assert config["permitted_axioms"] == ["propext", "Classical.choice", "Quot.sound"]
    assert config["unpermitted_axiom_hard_error"] is True
    assert (config["export_file_path"], config["use_stdin"]) == ("/a b/proof.ndjson", False)
