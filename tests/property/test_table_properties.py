"""The results table against a plain dictionary: rows, pages, and what instances put together."""

from __future__ import annotations

from typing import Any

from cli_fakes import make_result
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.messages.models import Reason
from streamverify.core.messages.newest import supersedes
from streamverify.core.table.pages import RowQuery, merge, parse_query
from streamverify.core.table.row import replaces, result_row, shown
from streamverify.core.table.rows import PartitionRows

IDS = st.text(alphabet="ab/\U0001d538\uffff", min_size=1, max_size=3)
REASONS = [Reason.OK, Reason.LEAN_ERROR, Reason.TIMEOUT]
RUNS = st.sampled_from([None, "r1", "r2"])
RECORDS = st.lists(
    st.tuples(
        IDS,
        st.one_of(st.none(), st.tuples(st.sampled_from(REASONS), st.integers(0, 2), RUNS, st.sampled_from("ca"))),
    ),
    max_size=25,
)
WANTED = st.builds(
    RowQuery,
    prefix=st.one_of(st.just(""), IDS),
    reason=st.one_of(st.none(), st.sampled_from([*map(str, REASONS), "other"])),
    run=RUNS,
    after=st.one_of(st.none(), IDS),
    limit=st.integers(1, 5),
)


def results_of(records: Any) -> list[tuple[str, Any]]:
    """For each record its id, and its result with its row; None for a tombstone."""
    made: list[tuple[str, Any]] = []
    for offset, (custom_id, fields) in enumerate(records):
        if fields is None:
            made.append((custom_id, None))
            continue
        reason, request, run, tier = fields
        assurance = {"c": "checked", "a": "audited"}[tier] if reason is Reason.OK else "none"
        result = make_result(custom_id, reason, offset=request, run=run, assurance=assurance)
        made.append((custom_id, (result, result_row(result, topic="t", partition=0, offset=offset, timestamp=offset))))
    return made


def apply(rows: PartitionRows, records: Any) -> None:
    for custom_id, made in records:
        if made is None:
            rows.pop(custom_id, None)
        elif custom_id not in rows or replaces(made[1], rows[custom_id]):
            rows[custom_id] = made[1]


def fits(row: Any, wanted: RowQuery) -> bool:
    return (
        row["custom_id"].startswith(wanted.prefix)
        and wanted.reason in {None, row["reason"]}
        and wanted.run in {None, row.get("run")}
        and (wanted.after is None or row["custom_id"] > wanted.after)
    )


@given(RECORDS, st.integers(0, 25), WANTED)
def test_rows_and_pages_are_those_of_a_plain_dictionary(records: Any, killed_at: int, wanted: RowQuery) -> None:
    made = results_of(records)
    rows = PartitionRows()
    plain: dict[str, Any] = {}
    for custom_id, each in made:
        if each is None:
            plain.pop(custom_id, None)
        elif custom_id not in plain or supersedes(each[0], plain[custom_id][0]):
            plain[custom_id] = each
    apply(rows, made)
    # Killed before a commit: what was read since is read once more, and changes nothing.
    apply(rows, made[killed_at:])
    assert dict(rows.items()) == {key: each[1] for key, each in plain.items()}
    expected = [rows[custom_id] for custom_id in sorted(plain) if fits(rows[custom_id], wanted)]
    page = merge([rows.page(wanted)], wanted.limit)
    assert page.rows == expected[: wanted.limit]
    assert page.more == (len(expected) > wanted.limit)


@given(RECORDS, st.integers(1, 4), WANTED)
def test_instances_together_say_what_one_would_say(records: Any, instances: int, wanted: RowQuery) -> None:
    alone = PartitionRows()
    parts = [PartitionRows() for _ in range(instances)]
    for custom_id, made in results_of(records):
        apply(alone, [(custom_id, made)])
        apply(parts[len(custom_id) % instances], [(custom_id, made)])
    asked = parse_query(wanted.as_query())
    assert asked == wanted
    pages = [merge([part.page(asked)], asked.limit) for part in parts]
    together = merge([page.rows for page in pages], asked.limit, more=any(page.more for page in pages))
    # Walked to its end, page by page, nothing is there twice and nothing is left out.
    whole = merge([alone.page(asked)], 1000)
    assert together.rows == whole.rows[: asked.limit]
    assert (together.after is None) == (len(whole.rows) <= asked.limit)


@given(RECORDS, st.integers(0, 25))
def test_rows_go_with_the_records_that_retention_takes(records: Any, first: int) -> None:
    rows = PartitionRows()
    apply(rows, results_of(records))
    before = dict(rows.items())
    rows.forget_before(first)
    assert dict(rows.items()) == {key: row for key, row in before.items() if row["result_offset"] >= first}
    assert [row["custom_id"] for row in rows.page(RowQuery())] == sorted(rows)
    for custom_id in list(rows):
        del rows[custom_id]
    assert rows._ids == {}


@given(RECORDS)
def test_a_shown_row_has_every_column_and_no_other(records: Any) -> None:
    for _, made in results_of(records):
        if made is not None:
            row = shown(made[1])
            assert "weight" not in row
            assert row["custom_id"] == made[0].custom_id
            assert row["superseded_by"] is None
