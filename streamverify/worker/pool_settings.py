"""Translates the settings of a worker, and the plan of its slots, for its pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.scheduling.import_sizes import MAX_HEADERS
from streamverify.core.scheduling.scheduler import Rules
from streamverify.lean.pool import PoolLimits
from streamverify.worker.results import worker_name

if TYPE_CHECKING:
    from streamverify.lean.repl.resources import SlotPlan
    from streamverify.settings import Settings


def pool_rules(settings: Settings, plan: SlotPlan) -> Rules:
    """The numbers in the rules of the scheduler."""
    return Rules(
        plan.slots,
        plan.spares,
        # Imports are staggered: each costs seconds and gigabytes (docs/scheduling.md).
        max(2, plan.slots // 4),
        settings.patience,
        settings.quantum,
        settings.long_timeout,
        worker_name(settings),
    )


def pool_limits(settings: Settings, plan: SlotPlan) -> PoolLimits:
    """The limits of one proof, and of one process."""
    return PoolLimits(
        # `auto`: as many as fit, which is decided by the memory that imports took (`core.scheduling.import_sizes`).
        headers_per_repl=MAX_HEADERS if settings.headers_per_repl == "auto" else settings.headers_per_repl,
        memory_per_repl=plan.memory_per_repl,
        import_timeout=settings.import_timeout,
        default_timeout=settings.default_timeout,
        max_timeout=settings.max_timeout,
    )
