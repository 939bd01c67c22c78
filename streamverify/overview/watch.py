"""Keeps looking at a group: the broker is asked what it knows of the group, and each worker what it does.

The two are asked apart, so that workers are still shown while no broker answers, and the broker's numbers while workers
are slow.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamverify.bus.connection import BROKER_TIMEOUT
from streamverify.bus.group_look import GroupLook
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.overview.build import overview, unassigned, workers
from streamverify.core.overview.group import Broker, Seen
from streamverify.core.overview.members import urls_of, workers_of
from streamverify.core.overview.rates import History
from streamverify.core.overview.readiness import group_readiness, process_readiness
from streamverify.core.overview.urls import LOCAL_PORTS, local_urls
from streamverify.overview.asking import Asker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from streamverify.core.overview.group import GroupMember
    from streamverify.core.overview.model import Overview, Readiness, Workers
    from streamverify.settings import Settings

_IMPATIENT = 3.0
"""Seconds for a question to a broker while there is a view to be kept up to date."""
_LIMIT = 5.0
"""Seconds for all questions of such a look together; a process that takes longer is reported as not answering."""
_CLOSE = 2.0


class Watch:
    """Looks at one group, again and again."""

    def __init__(self, settings: Settings, urls: Sequence[str] = ()) -> None:
        """Look at the group of `settings`, and at the processes of `urls` besides those that the group names."""
        self._settings = settings
        self._urls = list(urls)
        self._hostname = socket.gethostname()
        self._asker = Asker()
        self._look: GroupLook | None = None
        self._stack = AsyncExitStack()
        self._history = History()
        self._broker = Broker()
        self._since: str | None = None
        """Since when no broker answers."""
        self._partitions: list[int] = []
        self._known: dict[str, GroupMember] = {}
        """The members as the broker described them last, for the time in which the group rebalances."""

    async def __aenter__(self) -> Self:
        """Open the connections to workers."""
        await self._stack.enter_async_context(self._asker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        await self._stack.aclose()
        await self._drop_look()

    async def once(self) -> Overview:
        """Look once, asking again while brokers start.

        Raises:
            BrokerUnavailable: No broker answers, or there is no request topic.
        """
        self._broker = await self._ask_broker(BROKER_TIMEOUT, settle=True)
        return await self.workers_now()

    async def members(self) -> Workers:
        """Look once at the members alone; raises what `once` does."""
        await self._ask_members()
        seen = await self._seen()
        return workers(seen, at=_now(), partitions=self._partitions)

    async def readiness(self) -> Readiness:
        """Judge the group; raises what `once` does."""
        await self._ask_members()
        seen = await self._seen()
        group = seen.broker.group
        return group_readiness(
            self._settings.group_id,
            None if group is None else group.state,
            workers_of(seen),
            unassigned(seen, self._partitions),
            seen.broker.problems,
        )

    async def broker_again(self) -> None:
        """Ask the broker anew. One that does not answer is a problem to be shown; what was known before stays."""
        try:
            async with asyncio.timeout(_LIMIT):
                found = await self._ask_broker(_IMPATIENT)
        except BrokerUnavailable as error:
            said = str(error).splitlines()[0]
        except TimeoutError:
            said = f"no broker answers at {self._settings.bootstrap_servers} (waited for {_LIMIT:g} s)"
        else:
            self._broker, self._since = found, None
            return
        await self._drop_look()
        # The time of the first failure, however often it was tried since.
        self._since = self._since or _now()
        self._broker = replace(self._broker, problems=(f"since {self._since} the broker says nothing new: {said}",))

    async def workers_now(self) -> Overview:
        """Ask the workers, and put together what is known."""
        seen = await self._seen()
        made = overview(seen, self._history, at=_now(), given=self._urls)
        self._history.add([view.status for view in made.workers if view.status is not None], time.monotonic())
        return made

    async def _ask_members(self) -> None:
        problems: list[str] = []
        look = await self._open_look(BROKER_TIMEOUT)
        group = await look.members(problems, settle=True)
        self._partitions = look.partitions
        self._broker = Broker(group, problems=tuple(problems))

    async def _ask_broker(self, broker_timeout: float, *, settle: bool = False) -> Broker:
        look = await self._open_look(broker_timeout)
        found = await look.look(settle=settle)
        self._partitions = look.partitions
        return found

    async def _open_look(self, broker_timeout: float) -> GroupLook:
        if self._look is None:
            look = GroupLook(self._settings, broker_timeout, self._known)
            await look.__aenter__()
            # Kept only once it is open: after a failure the next look opens another one.
            self._look = look
        return self._look

    async def _drop_look(self) -> None:
        look, self._look = self._look, None
        if look is not None:
            # Connections to a broker that hangs may take their time to be closed; nobody waits for that.
            with suppress(BrokerUnavailable, TimeoutError):
                async with asyncio.timeout(_CLOSE):
                    await look.__aexit__(None, None, None)

    async def _seen(self) -> Seen:
        """Ask all addresses that are known."""
        settings, broker = self._settings, self._broker
        problems, urls = list(broker.problems), list(self._urls)
        local: list[str] = []
        if broker.group is not None:
            urls += urls_of(broker.group.members, self._hostname)
        elif not urls:
            local = local_urls()
            first = local[0].rpartition(":")[2]
            where = f"on this machine only, on the ports {first} to {int(first) + LOCAL_PORTS - 1}"
            problems.append(f"{'; '.join(problems)}: workers are looked for {where} (--url names others)")
            del problems[:-1]
        answers = await self._asker.ask_all([*urls, *local])
        # At a port that was guessed anything may answer: only a worker of this group, on these brokers, is kept.
        ours = (settings.bootstrap_servers, settings.group_id, settings.request_topic)
        kept = {
            url: answer
            for url, answer in answers.items()
            if url in urls
            or ((status := answer.status) is not None and (status.brokers, status.group, status.topic) == ours)
        }
        return Seen(
            settings.bootstrap_servers,
            settings.group_id,
            settings.request_topic,
            replace(broker, problems=tuple(problems)),
            kept,
            self._hostname,
        )


async def process_state(url: str) -> Readiness:
    """Ask one process whether it is ready."""
    async with Asker() as asker:
        return process_readiness(await asker.ask(url))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
