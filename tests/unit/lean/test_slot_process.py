"""The times of an attempt; the process itself is tested in tests/integration/test_pool*.py."""

from __future__ import annotations

import time

import pytest

from streamverify.lean.slot_process import AttemptTimes


def test_steps_add_up_and_one_that_fails_counts() -> None:
    times = AttemptTimes()
    with times.measure("audit"):
        time.sleep(0.01)
    before = times.audit
    assert before >= 0.01
    with pytest.raises(ZeroDivisionError), times.measure("audit"):
        time.sleep(0.01 / (times.audit < 0))
    assert times.audit > before
    assert (times.import_, times.run) == (0.0, 0.0)
    with times.measure("import"), times.measure("run"):
        time.sleep(0.01)
    assert times.import_ >= times.run >= 0.01
