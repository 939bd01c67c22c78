"""Which commits of a partition are recognised when it comes back."""

from __future__ import annotations

from streamverify.core.delivery.commits import Committed, SentCommits

FIRST, SECOND, FOREIGN = Committed(1, "a"), Committed(2, "bb"), Committed(2, "other")


def test_each_commit_since_the_last_acknowledged_one_is_recognised() -> None:
    commits = SentCommits()
    assert (commits.recognises(None), commits.last, commits.map_bytes) == (False, None, 0)
    commits.send(FIRST)
    commits.send(SECOND)
    assert [commits.recognises(each) for each in (FIRST, SECOND, FOREIGN)] == [True, True, False]
    assert commits.acknowledge(SECOND)
    assert (commits.last, commits.map_bytes) == (SECOND, 2)
    assert not commits.recognises(FIRST), "a later one has replaced it at the broker"


def test_a_late_acknowledgement_says_nothing() -> None:
    commits = SentCommits()
    commits.send(FIRST)
    commits.restored_from(FOREIGN)
    assert not commits.acknowledge(FIRST)
    assert commits.last == FOREIGN


def test_what_is_forgotten_is_not_recognised_and_the_last_is_still_known() -> None:
    commits = SentCommits()
    commits.restored_from(FIRST)
    commits.forget_sent()
    assert not commits.recognises(FIRST)
    assert commits.last == FIRST
