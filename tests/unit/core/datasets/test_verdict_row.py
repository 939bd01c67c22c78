from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamverify.core.datasets.verdict_row import (
    CHECKER,
    COLUMNS,
    MAX_MESSAGE,
    MAX_MESSAGES,
    MESSAGE,
    PREFIX,
    ColumnKind,
    canonical_header,
    names_beside,
    names_in,
    unsent_row,
    verdict_row,
)
from streamverify.core.messages.models import ProofResult


def result(**fields: object) -> ProofResult:
    return ProofResult.model_validate(
        {
            "custom_id": "a",
            "status": "verified",
            "reason": "ok",
            "retriable": False,
            "summary": "Lean accepts it.",
            "response": {"messages": []},
            "verifier": {"kind": "lean", "lean_version": "4.9.0"},
            "source": {"topic": "lean.proofs", "partition": 3, "offset": 7, "timestamp": 1000},
            "timings": {"queued": 0.5, "import": 2.0, "run": 1.0, "audit": 0.25, "total": 3.75},
            **fields,
        }
    )


def message(severity: str, text: str, line: int = 1) -> dict[str, object]:
    return {"severity": severity, "pos": {"line": line, "column": 0}, "data": text}


def test_a_row_has_every_column_in_its_order() -> None:
    row = verdict_row(result(), header="import Mathlib", latency_seconds=4.0)

    assert list(row) == list(COLUMNS) == list(unsent_row("no proof", custom_id=None))
    assert (row["status"], row["run_seconds"], row["latency_seconds"]) == ("verified", 1.0, 4.0)
    assert (row["source_partition"], row["lean_version"], row["header"]) == (3, "4.9.0", "import Mathlib")
    assert {type(row[name]) for name, kind in COLUMNS.items() if kind is ColumnKind.TEXT} == {str, type(None)}


@pytest.mark.parametrize(
    ("timings", "warm"),
    [({"import": 2.0, "run": 1.0}, False), ({"import": 0.0, "run": 1.0}, True), ({"queued": 9.0}, None)],
)
def test_warm_is_said_of_what_reached_lean(timings: dict[str, float], *, warm: bool | None) -> None:
    assert verdict_row(result(timings=timings))["warm"] is warm


def test_a_cached_verdict_is_told_from_one_of_its_own() -> None:
    hit, own = verdict_row(result(cached={"age_seconds": 12.5}, timings={"queued": 0.1})), verdict_row(result())
    assert (hit["cached"], hit["cached_age_seconds"], hit["warm"]) == (True, 12.5, None)
    assert (own["cached"], own["cached_age_seconds"]) == (False, None)


def test_errors_are_kept_before_other_messages_and_long_ones_are_cut() -> None:
    said = [message("info", f"info {n}") for n in range(50)] + [message("error", "x" * 5000, 51)]

    kept = verdict_row(result(response={"messages": said}))["messages"]

    assert len(kept) == MAX_MESSAGES
    assert all(list(each) == list(MESSAGE) for each in kept)
    assert kept[-1]["severity"] == "error"
    assert kept[-1]["line"] == 51
    assert len(kept[-1]["text"]) == MAX_MESSAGE
    assert [each["text"] for each in kept[:3]] == ["info 0", "info 1", "info 2"]


def test_half_a_surrogate_pair_in_leans_words_is_replaced() -> None:
    row = verdict_row(result(summary="\ud800 a", response={"messages": [message("error", "b \udfff")]}))

    assert (row["summary"], row["messages"][0]["text"]) == ("\ufffd a", "b \ufffd")


def test_the_checkers_of_the_highest_tiers_are_named() -> None:
    checked = verdict_row(
        result(
            assurance="replayed",
            reached="audited",
            checkers=[{"name": "nanoda", "version": "0.3", "outcome": "accepted", "seconds": 1.5}],
            export_sha256="0" * 64,
        )
    )

    assert checked["checkers"] == [{"name": "nanoda", "version": "0.3", "outcome": "accepted", "seconds": 1.5}]
    assert (list(checked["checkers"][0]), checked["reached"]) == (list(CHECKER), "audited")
    assert (verdict_row(result())["checkers"], verdict_row(result())["reached"]) == ([], None)


def test_what_was_not_sent_has_no_verdict() -> None:
    row = unsent_row("the row has no proof", custom_id="7", run="monday", group="problem 7")

    assert row["status"] is row["reason"] is row["summary"] is None
    assert (row["custom_id"], row["run"], row["group"]) == ("7", "monday", "problem 7")


def test_a_header_that_is_not_lean_has_no_canonical_form() -> None:
    assert canonical_header("import  Mathlib  import Aesop\ntheorem t : True := trivial") == (
        "import Mathlib\nimport Aesop"
    )
    assert canonical_header("theorem t : True := trivial") == ""
    assert canonical_header("import 7") is None


NAMES = st.builds(lambda level, name: PREFIX * level + name, st.integers(0, 3), st.sampled_from(sorted(COLUMNS)))


@given(st.sets(NAMES | st.text(max_size=12)))
@example({"status", "proof"})
@example({"verdict_status"})  # the output of an earlier replay of a source with `status`, without that column
@example({"status", "verdict_verdict_status"})
def test_our_columns_are_found_beside_any_others(taken: set[str]) -> None:
    names = names_beside(taken)

    assert not taken & set(names.values())
    assert len(set(names.values())) == len(COLUMNS)
    assert names_in(taken | set(names.values())) == names
    assert all(re.fullmatch(f"(?:{PREFIX})*{name}", given) for name, given in names.items())
    if not any(each.endswith(tuple(COLUMNS)) for each in taken):
        assert names == {name: name for name in COLUMNS}


def test_a_row_says_which_checkers_judged_what_and_how_far_the_proof_came() -> None:
    checker = {"name": "nanoda", "version": "0.4", "outcome": "accepted", "seconds": 0.5}
    row = verdict_row(result(assurance="cross_checked", checkers=[checker], export_sha256="0" * 64))
    assert (row["assurance"], row["checkers"], row["export_sha256"]) == ("cross_checked", [checker], "0" * 64)
    assert row["reached"] is None
    failed = verdict_row(
        result(status="inconclusive", reason="timeout", response=None, error="late", reached="audited")
    )
    assert (failed["checkers"], failed["reached"]) == ([], "audited")
