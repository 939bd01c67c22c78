"""Makes the result cache that the settings ask for, once a worker knows what answers in it."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import structlog

from streamverify.cache.choice import store_of
from streamverify.cache.guard import Guard
from streamverify.cache.store import without_password
from streamverify.core.cache.digests import installation_digest
from streamverify.core.cache.memory_cache import MemoryCache
from streamverify.core.cache.seal import Seal
from streamverify.lean.installation import Installation
from streamverify.setting_sources import PREFIX
from streamverify.worker.result_cache import ResultCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.messages.models import Verifier
    from streamverify.core.syntax.header import Header
    from streamverify.lean.kernel.reachable_tiers import ReachableTiers
    from streamverify.lean.repl.command import ReplCommand
    from streamverify.settings import Settings

STAND_INS = f"{PREFIX}TEST_CACHE_STAND_INS"
"""Variable with which our own tests and benchmarks have verdicts of stand-ins kept. It is no setting.

Nothing that is kept so can be taken for Lean's: the kind of the verifier is in every key.
"""
_SECRET_BYTES = 32

_log = structlog.get_logger(__name__)


async def open_cache(
    settings: Settings,
    verifier: Verifier,
    command: ReplCommand,
    *,
    vocabulary_of: Callable[[Header], Vocabulary | None],
    reachable: ReachableTiers,
) -> ResultCache | None:
    """Make the cache; None where there is to be none.

    Args:
        settings: CACHE and its like.
        verifier: What answers, as results name it.
        command: The REPL.
        vocabulary_of: What Lean itself has said here of a header's environment; None where it was not asked yet.
        reachable: The programs that judge above `audited`.

    Raises:
        SettingsError: The store that is asked for cannot be made. One that is down is no error.
    """
    if settings.cache == "none":
        return None
    if verifier.kind != "lean" and not os.environ.get(STAND_INS):
        _log.warning(
            "cache_off_for_stand_in",
            verifier=verifier.kind,
            hint="what a stand-in says is no verdict of Lean, so it is not kept; set STREAMVERIFY_REPL to a Lean, or "
            "STREAMVERIFY_CACHE=none",
        )
        return None
    store = store_of(settings)
    begun = time.monotonic()
    installation = await asyncio.to_thread(Installation.read, command)
    guard = None if store is None else Guard(store)
    if guard is not None:
        await guard.open()
    if guard is not None and verifier.kind == "lean" and not installation.is_seen:
        _log.warning(
            "cache_sees_no_modules",
            hint="neither LEAN_PROJECT nor LEAN_PATH names compiled modules, so only the versions of Lean and the REPL "
            "tell this library from another: name the project, or give the file or server to workers of one library "
            "alone, and a new one after each change of it (docs/cache.md)",
        )
    # Without a store nobody else reads what is signed.
    key = settings.cache_key
    secret = os.urandom(_SECRET_BYTES) if key is None else key.get_secret_value().encode()
    _log.info(
        "cache_opened",
        cache=without_password(settings.cache),
        own_modules=installation.modules,
        seconds=round(time.monotonic() - begun, 3),
    )
    return ResultCache(
        Seal(secret),
        MemoryCache(int(settings.cache_memory)),
        guard,
        max_age=settings.cache_max_age,
        installation=installation,
        installation_digest=installation_digest(verifier, {**installation.parts, "tools": _tools(reachable)}),
        vocabulary_of=vocabulary_of,
    )


def _tools(reachable: ReachableTiers) -> str:
    """Name what judges above `audited` here: a verdict of other programs is not this worker's."""
    tools = reachable.tools
    found = [] if tools is None else [tools.lean, tools.exporter, tools.replayer, tools.kernel]
    return " ".join(f"{each.name} {each.version} {each.digest}" for each in found if each is not None)
