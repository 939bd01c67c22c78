"""A verdict is told once, or not at all, and a callback that fails harms nobody."""

from __future__ import annotations

import pytest
from repl_fakes import job
from structlog.testing import capture_logs

from streamverify.core.job import Job, Verdict
from streamverify.core.messages.models import Reason
from streamverify.lean.callbacks import Callbacks

VERDICT = Verdict(Reason.OK, "fine")


def test_each_is_told_once_and_what_is_forgotten_is_told_to_nobody() -> None:
    callbacks, told = Callbacks(), []
    first, second = job("theorem t", custom_id="a"), job("theorem t", custom_id="b")
    for each in (first, second):
        callbacks.add(each, lambda done, verdict: told.append((done, verdict)))
    callbacks.forget(second)
    callbacks.answer(first, VERDICT)
    assert told == [(first, VERDICT)]
    for each in (first, second):
        with pytest.raises(KeyError):
            callbacks.answer(each, VERDICT)


def test_one_that_raises_is_logged_and_harms_nobody() -> None:
    def broken(_job: Job, _verdict: Verdict) -> None:
        raise ValueError

    callbacks = Callbacks()
    callbacks.add(asked := job("theorem t", custom_id="a"), broken)
    with capture_logs() as logs:
        callbacks.answer(asked, VERDICT)
    assert [(log["event"], log["custom_id"]) for log in logs] == [("on_done_failed", "a")]
