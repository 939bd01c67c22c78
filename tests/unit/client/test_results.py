"""The list of results: order, table, dictionaries, data frames."""

from __future__ import annotations

import json
import sys

import pandas as pd
import polars as pl
import pytest
from cli_fakes import make_message, make_result
from hypothesis import given
from hypothesis import strategies as st

from streamverify.client.results import Results
from streamverify.core.messages.models import OUTCOMES, Reason


def some() -> Results:
    """Three of five proofs have results."""
    wrong = make_result("b", Reason.LEAN_ERROR, messages=[make_message("no")], summary="line 1, column 0: no")
    wrong = wrong.model_copy(update={"run": "r7", "metadata": {"n": 2**70, "é": [1]}})
    return Results(
        {3: make_result("d", Reason.WORKER_ERROR, summary="it failed"), 0: make_result("a"), 1: wrong}, "ce", 2.5
    )


def test_it_is_a_list_in_the_order_of_the_proofs() -> None:
    results = some()
    assert [result.custom_id for result in results] == ["a", "b", "d"]
    assert results[1].reason is Reason.LEAN_ERROR
    assert results.missing == ("c", "e")
    assert [result and result.custom_id for result in results.aligned()] == ["a", "b", None, "d", None]
    assert results.counts == {"verified": 1, "rejected": 1, "inconclusive": 1, "missing": 2}


@given(st.lists(st.booleans(), max_size=30))
def test_what_is_aligned_has_each_result_at_the_place_of_its_proof(answered: list[bool]) -> None:
    there = {index: make_result(str(index)) for index, yes in enumerate(answered) if yes}
    aligned = Results(there, [str(index) for index, yes in enumerate(answered) if not yes]).aligned()
    assert [result is not None for result in aligned] == answered
    assert all(result is None or result.custom_id == str(index) for index, result in enumerate(aligned))


def test_it_prints_as_a_table_that_says_what_is_missing() -> None:
    assert str(some()).splitlines() == [
        "id  status        reason        message               seconds",
        "a   verified      ok                                    0.250",
        "b   rejected      lean_error    line 1, column 0: no    0.250",
        "d   inconclusive  worker_error  it failed               0.250",
        "5 proofs: 1 verified, 1 rejected, 1 inconclusive, 2 missing",
        "no answer within 2.5 s: c, e",
    ]
    assert repr(some()) == str(some())
    assert str(Results({})) == "0 proofs: 0 verified, 0 rejected, 0 inconclusive"


def test_a_long_message_takes_no_room_from_the_other_columns() -> None:
    results = [make_result("short", Reason.OK), make_result("b" * 60, Reason.STATEMENT_MISMATCH)]
    results[1].summary = "line 3, column 33: " + "very long " * 60
    header, first, second, _ = str(Results(dict(enumerate(results)))).splitlines()
    assert header.split() == ["id", "status", "reason", "message", "seconds"]
    assert first.split() == ["short", "verified", "ok", "0.250"]
    assert second.split()[1:4] == ["rejected", "statement_mismatch", "line"]
    assert second.split()[-1] == "0.250"
    assert "…" in second


def test_a_long_table_leaves_out_its_middle() -> None:
    lines = str(Results({index: make_result(f"p{index}") for index in range(10_000)})).splitlines()
    assert len(lines) == 1 + 20 + 1 + 1
    assert "9,980 more" in lines[20]
    assert lines[21].startswith("p9999")


@given(st.text(max_size=200), st.text(min_size=1, max_size=200))
def test_whatever_the_texts_are_the_table_stays_one(custom_id: str, summary: str) -> None:
    lines = str(Results({0: make_result(f"i{custom_id}", Reason.TIMEOUT, summary=summary)})).splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_dictionaries_are_what_is_on_the_topic() -> None:
    results = some()
    assert [one["status"] for one in results.to_dicts()] == ["verified", "rejected", "inconclusive"]
    wrong = results.to_dicts()[1]
    assert wrong["response"]["messages"][0]["data"] == "no"
    assert (wrong["error"], wrong["run"], wrong["metadata"]) == (None, "r7", {"n": 2**70, "é": [1]})


def test_a_data_frame_has_a_row_for_each_result() -> None:
    pandas, polars = some().to_pandas(), some().to_polars()
    for frame in (pandas, polars):
        assert list(frame["custom_id"]) == ["a", "b", "d"]
        assert list(frame["status"]) == ["verified", "rejected", "inconclusive"]
        assert list(frame["seconds_run"]) == [0.25] * 3
        assert json.loads(frame["metadata"][1]) == {"n": 2**70, "é": [1]}
    assert isinstance(pandas, pd.DataFrame)
    assert isinstance(polars, pl.DataFrame)
    assert list(pandas.columns) == polars.columns
    assert pandas[pandas.status == "verified"].shape[0] == polars.filter(pl.col("status") == "verified").height == 1


@pytest.mark.parametrize("reason", Reason)
def test_any_result_fits_a_data_frame(reason: Reason) -> None:
    results = Results({0: make_result("a", reason)})
    assert results.to_polars()["retriable"][0] is OUTCOMES[reason].retriable
    assert results.to_pandas().shape == results.to_polars().shape


def test_no_results_are_a_data_frame_without_rows() -> None:
    assert Results({}).to_pandas().shape == Results({}).to_polars().shape
    assert Results({}).to_polars().height == 0


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_without_the_library_its_name_is_said(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=library):
        getattr(some(), f"to_{library}")()
