from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamverify.core.datasets.verdict_row import unsent_row
from streamverify.core.errors import ReplayRefused
from streamverify.replay.state import ReplayState

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "verdicts.jsonl.replay"


def test_what_was_committed_is_there_for_the_next(file: Path) -> None:
    state = ReplayState(file)
    state.commit([(2, unsent_row("b", custom_id="2")), (0, unsent_row("a", custom_id="0"))], {0: 7, 1: 9}, {"x": [1]})
    state.commit([(2, unsent_row("again", custom_id="2"))], {1: 10}, {"x": [2]})
    state.close()

    state = ReplayState(file)
    assert state.facts == {"x": [2]}
    assert state.positions() == {0: 7, 1: 10}
    assert state.answered(range(1500)) == {0, 2}
    assert state.last() == 2
    # In the order of the attempts; of two answers to one the first.
    assert [(number, row["error"]) for number, row in state.rows()] == [(0, "a"), (2, "b")]
    state.finished({"complete": True})
    assert (list(state.rows()), state.facts) == ([], {"x": [2], "complete": True})
    state.begin_anew()
    assert (state.facts, state.positions(), state.last()) == ({}, {}, -1)
    state.close()


def test_half_a_surrogate_pair_ends_no_replay(file: Path) -> None:
    state = ReplayState(file)
    state.commit([(0, unsent_row("half a \ud800", custom_id="\udfff"))], {}, {})
    assert [(row["error"], row["custom_id"]) for _, row in state.rows()] == [("half a \ufffd", "\ufffd")]
    state.close()


def test_one_process_at_a_time(file: Path) -> None:
    state = ReplayState(file)
    with pytest.raises(ReplayRefused, match="another replay is writing there"):
        ReplayState(file)
    state.close()
    ReplayState(file).close()


def test_a_file_that_is_no_state_is_left_alone(file: Path) -> None:
    file.write_text("my own notes, which are long enough to be no database of any kind\n" * 50)
    with pytest.raises(ReplayRefused, match="is no state of a replay"):
        ReplayState(file)
    assert file.read_text().startswith("my own notes")


def test_a_state_of_another_version_is_refused(file: Path) -> None:
    state = ReplayState(file)
    state.note({"format": 99})
    state.close()
    with pytest.raises(ReplayRefused, match="another version"):
        ReplayState(file)


def test_where_no_state_can_be_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReplayRefused, match="cannot be written"):
        ReplayState(tmp_path / "no" / "folder")
