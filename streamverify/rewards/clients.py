"""The clients of the reward functions: one for each process or event loop, made when it is first needed."""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from streamverify.client import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.messages.models import ProofResult
    from streamverify.rewards.scorer import Verify, VerifyAsync

# Weak, so that a loop that is gone takes its clients with it.
_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str | None, AsyncClient]] = WeakKeyDictionary()


def verifier(servers: str | None) -> Verify:
    """Make a function that verifies requests with the client of the process that calls it, from any of its threads."""

    def verify(requests: list[dict[str, Any]], timeout: float) -> Sequence[ProofResult | None]:
        # The scorer itself asks again for what is retriable, within its budget.
        return _of_process(servers, os.getpid()).verify(requests, timeout, retries=0).aligned()

    return verify


def verifier_async(servers: str | None) -> VerifyAsync:
    """Make a coroutine function that verifies requests with the client of the event loop that runs it."""

    async def verify(requests: list[dict[str, Any]], timeout: float) -> Sequence[ProofResult | None]:
        clients = _of_loops.setdefault(asyncio.get_running_loop(), {})
        if servers not in clients:
            clients[servers] = AsyncClient(servers)
        return (await clients[servers].verify(requests, timeout, retries=0)).aligned()

    return verify


@cache
def _of_process(servers: str | None, process: int) -> Client:  # noqa: ARG001 -- a fork needs a client of its own
    return Client(servers)
