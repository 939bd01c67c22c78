"""Which records of a partition are under suspicion, and for how long."""

from __future__ import annotations

from streamverify.core.delivery.suspects import PROBATION, Suspects


def test_a_closed_commit_without_attempts_leaves_no_suspects() -> None:
    suspects = Suspects(set(), quarantined=False)
    suspects.delivered(0)
    assert not suspects


def test_after_an_open_commit_the_next_records_are_suspects_until_they_end() -> None:
    suspects = Suspects(set(), quarantined=True)
    assert suspects, "none has come yet, and each that comes may be the one"
    for offset in range(PROBATION + 10):
        suspects.delivered(offset)
    for offset in range(PROBATION):
        assert suspects
        suspects.clear(offset)
    assert not suspects, "those behind the probation were never in flight there"


def test_a_counted_attempt_is_a_suspect_until_it_is_cleared() -> None:
    suspects = Suspects({7}, quarantined=False)
    for offset in range(PROBATION):
        suspects.delivered(offset + 10)
        suspects.clear(offset + 10)
    assert suspects
    suspects.clear(7)
    assert not suspects
