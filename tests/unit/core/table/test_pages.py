"""The parameters of a request to the table, and ids that are in two partitions."""

from __future__ import annotations

from typing import Any

import pytest
from cli_fakes import make_result

from streamverify.core.errors import InvalidQuery
from streamverify.core.messages.models import Reason
from streamverify.core.table.pages import MAX_LIMIT, RowQuery, merge, parse_query
from streamverify.core.table.row import MAX_TEXT, result_row
from streamverify.core.table.rows import is_row


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ([("limit", "0")], "limit"),
        ([("limit", str(MAX_LIMIT + 1))], "limit"),
        ([("limit", "1_0")], "limit"),
        ([("limit", " 1")], "limit"),
        ([("limit", "\u0661")], "limit"),
        ([("limit", "9" * 5000)], "limit"),
        ([("limit", "")], "limit"),
        ([("prefix", "a"), ("prefix", "a")], "twice"),
        ([("page", "2")], "there is no parameter 'page'"),
        ([("run", "")], "empty"),
        ([("after", "x" * 513)], "513"),
        ([("prefix", "\U0001d538" * 513)], "513"),
    ],
)
def test_a_wrong_parameter_is_one_sentence(parameters: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(InvalidQuery, match=says):
        parse_query(parameters)


def test_the_longest_ids_and_an_empty_prefix_are_right() -> None:
    longest = "\U0001d538" * 512
    assert parse_query([("prefix", ""), ("after", longest)]) == RowQuery(after=longest)


def test_of_an_id_in_two_partitions_the_newer_counts() -> None:
    old = result_row(make_result("a", timestamp=1), topic="t", partition=0, offset=900, timestamp=1)
    new = result_row(make_result("a", Reason.TIMEOUT, timestamp=2), topic="t", partition=1, offset=3, timestamp=2)
    assert merge([[old], [new]], 5).rows == [new]
    assert merge([[new], [old]], 5).rows == [new]


def test_a_row_has_bounds_whatever_a_result_says() -> None:
    result = make_result("a", Reason.IMPORT_FAILED, summary="s" * 10_000)
    row = result_row(result, topic="t", partition=0, offset=0, timestamp=0)
    assert len(row["summary"]) <= MAX_TEXT
    assert is_row(row)
    others: list[Any] = [None, [], {}, {**row, "reason": None}, {**row, "result_offset": "1"}, {**row, "run": []}]
    assert not any(map(is_row, others))
