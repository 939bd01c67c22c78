"""Tells each verdict to the callback of its job; one that fails harms nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from streamverify.core.log.about import about_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.job import Job, Verdict

    OnDone = Callable[[Job, Verdict], None]

_log = structlog.get_logger(__name__)


def call_back(on_done: OnDone, job: Job, verdict: Verdict) -> None:
    """Tell `on_done` the verdict. It must not raise; where it does, that is logged, and whoever calls this goes on."""
    try:
        on_done(job, verdict)
    except Exception:  # noqa: BLE001 - one caller's fault must not stop the others
        _log.exception(
            "on_done_failed",
            **about_job(job),
            hint="an error of streamverify's own: please report it with this traceback; the result may be missing",
        )


class Callbacks:
    """The callback of each job that has no verdict yet; each is called once, or forgotten."""

    def __init__(self) -> None:
        self._on_done: dict[Job, OnDone] = {}

    def add(self, job: Job, on_done: OnDone) -> None:
        """Have `on_done` told the verdict on this job."""
        self._on_done[job] = on_done

    def forget(self, job: Job) -> None:
        """Tell nobody of this job: it is not to be run here."""
        del self._on_done[job]

    def answer(self, job: Job, verdict: Verdict) -> None:
        """Tell the verdict to whoever waits for it."""
        call_back(self._on_done.pop(job), job, verdict)
