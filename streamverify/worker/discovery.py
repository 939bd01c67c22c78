"""Finds what a worker works with, before it opens anything: the REPL, what may run beside what, and the topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.admin import patient_admin
from streamverify.bus.presence import require_topics
from streamverify.bus.topics import max_message_bytes
from streamverify.core.audit.policy import POLICY_VERSION, trusted_by
from streamverify.lean.kernel.reachable_tiers import find_reachable_tiers
from streamverify.lean.repl.launch import configured_repl, find_repl, known_as, probe
from streamverify.lean.repl.resources import plan_for
from streamverify.lean.warm_headers import saved_headers_file
from streamverify.worker.start_checks import check_reachable_tiers, check_verifier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamverify.core.audit.vocabulary import Trusted
    from streamverify.core.messages.models import Verifier
    from streamverify.lean.kernel.reachable_tiers import ReachableTiers
    from streamverify.lean.repl.command import ReplCommand
    from streamverify.lean.repl.resources import SlotPlan
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Discovery:
    """The REPL that verifies here, how much of it runs at once, and what its results may be."""

    command: ReplCommand
    verifier: Verifier
    trusted: Trusted
    reachable: ReachableTiers
    plan: SlotPlan
    saved_headers: Path | None
    """The file in which the hottest headers are kept over restarts."""
    sizes: Mapping[str, int]
    """`max.message.bytes` of the topics that are written to."""


async def discover(settings: Settings) -> Discovery:
    """Find the REPL and the topics, and see that they will do.

    Raises:
        ReplUnavailable: There is no REPL, it does not answer, or it is not fit for what the settings ask of it.
        BrokerUnavailable: There is no broker, or a topic is missing.
    """
    found = await find_repl(settings.repl, settings.lean_project)
    plan = plan_for(settings, found)
    for warning in plan.warnings:
        _log.warning("slots_do_not_fit", hint=warning)
    command = await configured_repl(settings, slots=plan.slots, spares=plan.spares, found=found)
    # One start of the REPL tells whether it answers at all, and which Lean it is: results name it.
    probed = await probe(command)
    command = known_as(command, probed)
    trusted = trusted_by(settings.policy_allow, probed.lean_version)
    verifier = probed.model_copy(update={"policy_version": f"{POLICY_VERSION}{trusted.digest}"})
    check_verifier(verifier, settings)
    reachable = await find_reachable_tiers(settings, command, verifier)
    check_reachable_tiers(reachable, verifier, settings)
    # Before the pool is opened, which takes minutes to import headers: a missing topic shall be reported at once.
    sizes = await topic_sizes(settings)
    return Discovery(command, verifier, trusted, reachable, plan, saved_headers_file(found), sizes)


async def topic_sizes(settings: Settings) -> dict[str, int]:
    """Ask for `max.message.bytes` of the topics that a worker writes to, and that those which it needs are there.

    Raises:
        BrokerUnavailable: There is no broker, or a topic is missing.
    """
    async with patient_admin(settings) as admin:
        await require_topics(admin, settings, [settings.request_topic, settings.result_topic, settings.dlq_topic])
        return {topic: await max_message_bytes(admin, topic) for topic in (settings.result_topic, settings.dlq_topic)}
