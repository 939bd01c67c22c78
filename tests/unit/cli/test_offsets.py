"""offsets without a broker: the forms in which positions are shown."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from commands import invoke

from streamverify.core.delivery.group_position import GroupPosition

POSITIONS = [
    GroupPosition(0, 5, 9, 4, 3, [(5, 0), (7, 2)], "open"),
    GroupPosition(1, None, 3, 3, 3, [], "new"),
    GroupPosition(2, 8, 8, 0, 0, [], "foreign", "the metadata is not ours"),
]


@pytest.fixture(autouse=True)
def _positions(monkeypatch: pytest.MonkeyPatch) -> None:
    async def positions(_settings: Any, _group: str) -> list[GroupPosition]:
        return POSITIONS

    monkeypatch.setattr("streamverify.bus.group_positions.group_positions", positions)


def test_csv_has_a_row_for_each_partition() -> None:
    rows = list(csv.DictReader(io.StringIO(invoke("offsets", "--csv").stdout)))
    assert [row["partition"] for row in rows] == ["0", "1", "2"]
    assert (rows[0]["to_do"], rows[0]["unfinished"], rows[0]["attempted"], rows[1]["committed"]) == ("3", "2", "7", "")


def test_a_limit_leaves_partitions_out_and_the_sums_as_they_are() -> None:
    assert len(json.loads(invoke("offsets", "--limit", "2", "--json").stdout)["partitions"]) == 2
    ran = invoke("offsets", "--limit", "1")
    assert ran.stdout.splitlines()[-1] == "group streamverify, topic lean.proofs: 6 records to do, lag 7"
    assert len(ran.stdout.splitlines()) == 3
    assert "foreign: partition 2" not in ran.stderr
    assert "foreign: partition 2" in invoke("offsets").stderr


def test_two_forms_at_once_are_wrong_usage() -> None:
    assert invoke("offsets", "--csv", "--json").code == 2
