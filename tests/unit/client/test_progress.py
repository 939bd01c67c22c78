"""How far a call has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.client.progress import progress_of

if TYPE_CHECKING:
    import pytest


def test_a_bar_is_on_stderr_and_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of(wanted=True, total=5) as done:
        done(2)
        done(5)
    out, err = capsys.readouterr()
    assert out == ""
    assert "5/5" in err


def test_where_the_number_is_not_known_it_says_how_many_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of(wanted=True, total=None) as done:
        done(7)
    assert "7/?" in capsys.readouterr().err


def test_nothing_is_said_where_nothing_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of(wanted=False, total=5) as done:
        done(5)
    assert capsys.readouterr() == ("", "")
