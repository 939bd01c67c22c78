"""Checks that the members of a group verify with the same versions: no verdict may depend on who got the record.

A member says its versions in its client id, which the broker tells to whoever may describe the group.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from streamverify.bus.admin import open_admin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamverify.settings import Settings

FIRST_LOOK = 15.0
"""Seconds that a group which is started together gets to gather."""

EVERY = 300.0
"""Seconds between two looks."""

_NAME = "streamverify"

_log = structlog.get_logger(__name__)


def others(ours: str, members: Iterable[str]) -> list[str]:
    """The client ids of members of ours that say other versions; those of foreign clients say none."""
    return sorted({member for member in members if member.startswith(f"{_NAME}_") and member != ours})


class VersionWatch:
    """Looks at the group from time to time, and warns where versions differ."""

    def __init__(self, settings: Settings, ours: str) -> None:
        self._settings = settings
        self._ours = ours
        self._warned: list[str] = []

    async def watch(self) -> None:
        """Look until cancelled. A group that may not be described is not looked at: that is no reason to end."""
        await asyncio.sleep(FIRST_LOOK)
        while True:
            try:
                self.compare(await self._members())
            except Exception as error:  # noqa: BLE001 - not allowed, not supported, not reachable: never fatal
                _log.debug("group_not_described", error=repr(error))
            await asyncio.sleep(EVERY)

    def compare(self, members: Iterable[str]) -> None:
        """Warn where members say other versions, once for each change."""
        found = others(self._ours, members)
        if found and found != self._warned:
            _log.warning(
                "versions_differ",
                ours=self._ours,
                others=found,
                hint="a verdict depends on which worker gets the record; run one version in a group",
            )
        self._warned = found

    async def _members(self) -> list[str]:
        # A client for each look: one that only waits for the next would hold its connections for nothing.
        admin = await open_admin(self._settings)
        try:
            [description] = await admin.describe_consumer_groups([self._settings.group_id])
        finally:
            await admin.close()
        return client_ids(description.to_object())


def client_ids(description: Mapping[str, Any]) -> list[str]:
    """The client ids of the members in the answer to a DescribeGroups request."""
    return [member["client_id"] for group in description["groups"] for member in group["members"]]
