"""Which of two versions of Lean is older."""

from __future__ import annotations

import pytest

from streamverify.core.messages.versions import is_older, lean_version


def test_versions_sort_by_number_and_candidates_before_their_release() -> None:
    rising = ["4.0.0", "4.9.0-rc1", "4.9.0-rc2", "4.9.0", "4.9.1", "4.10.0", "v4.34.1", "5.0.0"]
    assert sorted(rising, key=lambda text: lean_version(text) or ()) == rising


@pytest.mark.parametrize(
    ("version", "least", "older"),
    [
        ("4.34.1", "4.34.1", False),
        ("4.34.1", "v4.34.1", False),
        ("4.9.0", "4.34.1", True),
        ("4.35.0-nightly-2026-01-01", "4.34.1", False),
        ("4.34.1-rc1", "4.34.1", True),
        (None, "4.0.0", True),
        ("unknown", "4.0.0", True),
        ("4.9", "4.0.0", True),
    ],
)
def test_what_cannot_be_read_counts_as_older(version: str | None, least: str, older: bool) -> None:  # noqa: FBT001 -- the column of a table
    assert is_older(version, least) is older
