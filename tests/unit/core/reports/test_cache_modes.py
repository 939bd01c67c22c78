"""The table of cached and non-cached verification."""

from __future__ import annotations

from typing import Any

from streamverify.core.reports.cache_modes import Mode, table_lines
from streamverify.core.reports.verdict import verdict_of


def mode(name: str, *rows: dict[str, Any]) -> Mode:
    counted = Mode(name)
    for row in rows:
        counted.add(verdict_of(row))
    return counted


VERIFIED = {"status": "verified", "reason": "ok", "run_seconds": 2.0, "import_seconds": 6.0, "audit_seconds": 0.5}
REJECTED = {"status": "rejected", "reason": "lean_error", "run_seconds": 1.5}


def test_times_are_of_what_lean_decided() -> None:
    timeout = {"status": "inconclusive", "reason": "timeout", "run_seconds": 60.0}
    hit = VERIFIED | {"cached": True}
    unsent = {"status": None, "error": "has no proof"}
    policy = {"status": "rejected", "reason": "policy", "run_seconds": 0.0}

    row = mode("Cached", VERIFIED, REJECTED, timeout, hit, unsent, policy).row()

    assert (row.rows, row.measured, row.cached, row.inconclusive) == (6, 2, 1, 2)
    assert (row.total_seconds, row.average_seconds) == (10.0, 5.0)
    assert row.valid_percent == 100 * 2 / 6


def test_the_table_is_the_one_of_the_seed() -> None:
    assert table_lines([mode("Cached", VERIFIED, REJECTED).row(), mode("Non-Cached").row()]) == [
        "| Mode | Valid proofs (%) | Total verification time (s) | Average verification time (s) |",
        "|---|---:|---:|---:|",
        "| Cached | 50.00 | 10.00 | 5.00 |",
        "| Non-Cached |  | 0.00 |  |",
    ]
