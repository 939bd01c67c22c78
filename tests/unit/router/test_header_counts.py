"""The counts of headers: bounded, right after repeats, summed over partitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from streamverify.router.header_counts import OTHERS, Count, PartitionCounts, by_partition, summed
from streamverify.router.header_view import HeaderView
from streamverify.settings import Settings

if TYPE_CHECKING:
    from streamverify.streams.partitioned_rows import Key


def replayed(table: dict[str, Count], counts: PartitionCounts) -> dict[str, Count]:
    """What a changelog makes of the changes."""
    for fingerprint, count in counts.take_changes().items():
        if count is None:
            table.pop(fingerprint, None)
        else:
            table[fingerprint] = count
    return table


def test_each_record_counts_once_however_often_it_comes() -> None:
    counts = PartitionCounts({})
    for offset in [3, 4, 5, 3, 4, 5, 6]:
        counts.add("a", "import A\n", offset)
    assert counts.take_changes() == {"a": Count(4, 6, "import A\n")}
    assert counts.take_changes() == {}


def test_a_restart_goes_on_from_what_the_table_has() -> None:
    counts = PartitionCounts({"a": Count(4, 6, "import A\n")})
    counts.add("a", "import A\n", 6)
    assert counts.take_changes() == {}
    counts.add("a", "import A\n", 7)
    counts.add("b", "", 8)
    assert counts.take_changes() == {"a": Count(5, 7, "import A\n"), "b": Count(1, 8, "")}


def test_the_rarest_and_oldest_makes_room() -> None:
    counts = PartitionCounts({"a": Count(9, 90, "A"), "b": Count(2, 91, "B"), "c": Count(2, 95, "C")}, max_headers=3)
    counts.add("d", "D", 96)
    assert counts.take_changes() == {"d": Count(1, 96, "D"), OTHERS: Count(2, 91, ""), "b": None}
    counts.add("e", "E", 97)
    assert counts.take_changes() == {"e": Count(1, 97, "E"), OTHERS: Count(3, 96, ""), "d": None}


def test_what_is_new_is_written_before_what_goes() -> None:
    counts = PartitionCounts({"a": Count(1, 1, "A")}, max_headers=1)
    counts.add("b", "B", 2)
    assert list(counts.take_changes().values())[-1] is None


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200), st.integers(1, 5), st.integers(1, 20))
def test_the_table_is_bounded_and_its_sum_exact(sent: list[str], max_headers: int, batch: int) -> None:
    counts = PartitionCounts({}, max_headers)
    table: dict[str, Count] = {}
    for offset, fingerprint in enumerate(sent):
        counts.add(fingerprint, fingerprint, offset)
        if offset % batch == 0:
            replayed(table, counts)
            assert len(table) <= max_headers + 1
    replayed(table, counts)
    assert sum(count.count for count in table.values()) == len(sent)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.data())
def test_repeats_from_any_place_change_nothing(sent: list[str], data: st.DataObject) -> None:
    """A kill at any time: the table as it was then, and delivery from anywhere before it."""
    counts = PartitionCounts({})
    for offset, fingerprint in enumerate(sent):
        counts.add(fingerprint, "", offset)
    expected = replayed({}, counts)
    killed = data.draw(st.integers(0, len(sent)))
    first = PartitionCounts({})
    for offset, fingerprint in enumerate(sent[:killed]):
        first.add(fingerprint, "", offset)
    table = replayed({}, first)
    again = PartitionCounts(table)
    start = data.draw(st.integers(0, killed))
    for offset, fingerprint in enumerate(sent[start:], start):
        again.add(fingerprint, "", offset)
    assert replayed(dict(table), again) == expected


def test_a_table_is_sorted_by_partition() -> None:
    value = Count(1, 2, "A").as_value()
    assert by_partition([((0, "a"), value), ((3, "a"), value)]) == {
        0: {"a": Count(1, 2, "A")},
        3: {"a": Count(1, 2, "A")},
    }


def test_the_sum_is_over_partitions_the_most_frequent_first() -> None:
    counts: dict[Key, Count] = {
        (0, "a"): Count(1, 9, "A"),
        (1, "a"): Count(2, 3, "A"),
        (1, "b"): Count(9, 8, "B"),
        (2, "c"): Count(0, 8, "C"),
    }
    rows = summed(counts)
    assert [(row["fingerprint"], row["count"], row["share"]) for row in rows] == [("b", 9, 0.75), ("a", 3, 0.25)]
    assert summed({}) == []


def view_of(changes: list[tuple[Key, dict[str, Any] | None]]) -> HeaderView:
    view = HeaderView(Settings(), partitions=2)
    for key, value in changes:
        view.fold(json.dumps(key).encode(), None if value is None else json.dumps(value).encode())
    return view


def test_the_view_is_what_the_changelog_says_last() -> None:
    view = view_of(
        [
            ((0, "a"), Count(1, 1, "A").as_value()),
            ((0, "b"), Count(1, 2, "B").as_value()),
            ((0, "a"), Count(5, 7, "A").as_value()),
            ((1, "a"), Count(2, 7, "A").as_value()),
            ((0, "b"), None),
            ((0, "never there"), None),
        ]
    )
    assert view.summary() == {
        "complete": True,
        "total": 7,
        "headers": [{"header": "A", "fingerprint": "a", "count": 7, "share": 1.0}],
    }


async def test_the_page_is_readable_and_escapes_what_it_shows() -> None:
    view = view_of(
        [
            ((0, "a"), Count(1500, 1, "import «<script>»\n").as_value()),
            ((0, "b"), Count(300, 1, "").as_value()),
            ((0, OTHERS), Count(200, 1, "").as_value()),
        ]
    )
    page = (await view.answer_page(make_mocked_request("GET", "/"))).text or ""
    assert "2,000 proofs forwarded" in page
    assert "<td>import «&lt;script&gt;»<td>1,500<td>75.0%" in page
    assert "<td>(no imports)<td>300" in page
    assert "<td>(all others)<td>200" in page
    data = json.loads((await view.answer_json(make_mocked_request("GET", "/headers"))).text or "")
    assert data["total"] == 2000
