"""Long work in a pool of processes: one of two slots is left for what is short."""

from __future__ import annotations

from repl_fakes import LIMITS, bench, no_process_left, until  # noqa: F401 - a fixture

from streamverify.core.messages.models import Reason
from streamverify.core.scheduling.durations import LONG_TIMEOUT


async def test_short_proofs_do_not_wait_behind_long_ones() -> None:
    async with bench(slots=2, limits=LIMITS._replace(max_timeout=600.0)) as b:
        for name in ("first", "second"):
            b.submit("theorem t -- fake: hang", timeout=LONG_TIMEOUT + 1, custom_id=name)
        for name in ("a", "b", "c"):
            assert (await b.verify("theorem t", timeout=LONG_TIMEOUT, custom_id=name)).reason is Reason.OK
        await until(lambda: b.pool.running == 1, "the last short one has ended")
        assert (b.finished, b.pool.queued) == (["a", "b", "c"], 1)
