from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from streamverify.core.datasets.verdict_row import unsent_row
from streamverify.core.errors import ReplayRefused
from streamverify.datasets.dataset import SourceOptions
from streamverify.replay.replay import Replay, ReplayPlan, chunked, opened
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

PROOF = "theorem t : True := trivial"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "proofs.jsonl"
    write(file, [{"custom_id": f"p{n}", "proof": PROOF} for n in range(10)])
    return file


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def plan(source: Path, **changed: Any) -> ReplayPlan:
    options = {"source": str(source), "options": SourceOptions(), "output": source.with_name("verdicts.jsonl")}
    return ReplayPlan(**{**options, **changed})


def answer(one: Replay, numbers: range) -> None:
    """Put verdicts into the state, as a process does that is then killed."""
    assert one.state is not None
    verdict = {"status": "verified", "reason": "ok", "cached": False}
    rows = [(number, unsent_row("", custom_id=f"p{number}") | verdict) for number in numbers]
    for _, row in rows:
        one.counts.add(row)
    one.state.commit(rows, {0: 5}, one.counts.facts())


def test_a_replay_that_sent_nothing_leaves_nothing(source: Path) -> None:
    given = plan(source)
    with opened(given, load_settings()) as one:
        assert given.state.exists()
        assert one.run.startswith("replay-")
    assert not given.state.exists()


def test_what_was_begun_is_taken_up_with_its_name_and_its_counts(source: Path) -> None:
    with opened(plan(source), load_settings()) as one:
        answer(one, range(4))
        name, run = one.name, one.run
    with opened(plan(source, in_flight=7), load_settings()) as one:
        assert (one.name, one.run, one.counts.earlier, one.counts.statuses) == (name, run, 4, {"verified": 4})
    with opened(plan(source, restart=True), load_settings()) as one:
        assert one.name != name
        assert one.counts.earlier == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"options": SourceOptions(limit=3)}, "limit: was not given, is 3"),
        ({"options": SourceOptions(shuffle=True)}, "shuffle: was false, is true"),
        ({"options": SourceOptions(request={"timeout": 5.0})}, "timeout"),
        ({"options": SourceOptions(id_column="proof")}, "columns"),
        ({"run": "other"}, "run: was "),
    ],
)
def test_another_replay_is_refused_and_what_differs_is_named(source: Path, changed: dict[str, Any], said: str) -> None:
    with opened(plan(source, run="mine"), load_settings()) as one:
        answer(one, range(4))
    with (
        pytest.raises(ReplayRefused, match=said) as refused,
        opened(plan(source, **{"run": "mine", **changed}), load_settings()),
    ):
        pass
    assert "--restart" in str(refused.value)


def test_a_source_that_has_changed_is_refused(source: Path) -> None:
    with opened(plan(source), load_settings()) as one:
        answer(one, range(4))
    write(source, [{"custom_id": f"q{n}", "proof": PROOF} for n in range(10)])
    with pytest.raises(ReplayRefused, match="files"), opened(plan(source), load_settings()):
        pass


def test_another_topic_is_refused(source: Path) -> None:
    with opened(plan(source), load_settings()) as one:
        answer(one, range(4))
    with (
        pytest.raises(ReplayRefused, match=r"result_topic: was .*, is other"),
        opened(plan(source), load_settings(result_topic="other")),
    ):
        pass


async def test_what_was_answered_needs_no_broker_to_be_written(source: Path) -> None:
    given = plan(source)
    with opened(given, load_settings()) as one:
        answer(one, range(10))
        assert one.state is not None
        one.state.note({"attempts": 10})
    # Nobody listens there: all is answered already.
    settings = load_settings(bootstrap_servers="127.0.0.1:1")
    with opened(given, settings) as one:
        await one.verify(settings, lambda _text: None)
        one.write(lambda _count: None)
    rows = [json.loads(line) for line in given.output.read_text().splitlines()] if given.output else []
    assert [row["custom_id"] for row in rows] == [f"p{n}" for n in range(10)]
    assert all(row["verdict_custom_id"] == row["custom_id"] and row["header"] == "" for row in rows)
    with opened(given, settings) as one:
        assert one.is_complete


def test_an_output_that_was_removed_is_made_anew(source: Path) -> None:
    given = plan(source)
    with opened(given, load_settings()) as one:
        answer(one, range(10))
        one.write(lambda _count: None)
    assert given.output is not None
    given.output.unlink()
    with opened(given, load_settings()) as one:
        assert not one.is_complete
        assert one.counts.earlier == 0


def test_a_source_that_changes_while_the_output_is_written_leaves_none(source: Path) -> None:
    given = plan(source)
    with opened(given, load_settings()) as one:
        answer(one, range(9))
        with pytest.raises(ReplayRefused, match="no longer what was replayed"):
            one.write(lambda _count: None)
    assert given.output is not None
    assert not given.output.exists()


@pytest.mark.parametrize("limit", [None, 4])
def test_how_many_there_are_is_known_when_all_are_read_and_guessed_before(source: Path, limit: int | None) -> None:
    write(source, [{"custom_id": f"p{n}", "proof": [PROOF] * 3} for n in range(40)])
    with opened(plan(source, output=None, options=SourceOptions(limit=limit)), load_settings()) as one:
        attempts = one._counted()
        for _ in range(6):
            next(attempts)
        assert limit is None or one.expected() == 12
        assert len(list(attempts)) + 6 == one.expected() == 3 * (limit or 40)


def test_attempts_are_handed_out_in_lists() -> None:
    numbers: Any = iter(range(5))
    lists: list[Any] = list(chunked(numbers, 2))
    assert lists == [[0, 1], [2, 3], [4]]
