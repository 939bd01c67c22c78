"""The other instances of the table: which there are, and what they hold of what is asked.

Each tells the group its address as it joins, and Faust's assignor tells all of them who has which partitions. An answer
is given only where every partition is in it once, all of one generation of the group: never a part in the place of all.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import aiohttp

from streamverify.bus.address import advertised_url
from streamverify.core.errors import StreamVerifyError
from streamverify.core.table.pages import Page
from streamverify.core.table.rows import is_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faust.assignor.partition_assignor import PartitionAssignor

    from streamverify.core.table.row import Row
    from streamverify.settings import Settings
    from streamverify.streams.life import StreamLife

TIMEOUT = 10.0
"""Seconds that another instance is waited for."""


class Unavailable(StreamVerifyError):
    """The table cannot answer at the moment: partitions move, are restored, or their owner cannot be reached."""


class TooSlow(StreamVerifyError):
    """Another instance did not answer in time."""


@dataclass(frozen=True, slots=True)
class PagePart:
    """The part of an answer that one instance has."""

    partitions: frozenset[int]
    page: Page


class Peers:
    """Asks the other instances."""

    def __init__(self, settings: Settings, life: StreamLife[Any], *, partitions: int) -> None:
        """Prepare to ask; `partitions` is the number of partitions of the result topic."""
        self._settings = settings
        self._life = life
        self._partitions = partitions
        self._session: aiohttp.ClientSession
        self.url = ""
        """The address under which the others reach this instance; "" before `start`."""

    def start(self, port: int) -> None:
        """Settle the address under which the others reach this instance, which listens on `port`."""
        self.url = advertised_url(self._settings, port)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))

    async def close(self) -> None:
        """Close the connections to the others."""
        await self._session.close()

    async def ask(self, query: Sequence[tuple[str, str]], generation: int) -> list[PagePart]:
        """Ask each other instance for its part.

        Raises:
            Unavailable: One does not answer, or is not ready, or is of another generation of the group.
            TooSlow: One does not answer in time.
        """
        assignor = cast("PartitionAssignor", self._life.app.assignor)
        members = assignor.table_metadata(self._life.names.changelog)
        # An instance without partitions has nothing to add, and may be one that is just coming or going.
        urls = [url for url, held in members.items() if url.rstrip("/") != self.url.rstrip("/") and held]
        return list(await asyncio.gather(*(self._ask_one(url, query, generation) for url in urls)))

    async def _ask_one(self, url: str, query: Sequence[tuple[str, str]], generation: int) -> PagePart:
        try:
            async with self._session.get(f"{url.rstrip('/')}/local", params=list(query), allow_redirects=False) as got:
                answer = await got.json()
                status = got.status
        # Told apart from the next error: this instance is up, and may answer the next question.
        except TimeoutError:
            raise TooSlow(f"the instance at {url} did not answer within {TIMEOUT:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(
                f"the instance at {url} does not answer ({error}): its partitions go to others when its session ends; "
                "if it is up, others cannot reach it there (STREAMVERIFY_ADVERTISED_URL)"
            ) from None
        if status != 200:  # noqa: PLR2004 - HTTP's OK
            said = answer.get("error") if isinstance(answer, dict) else None
            raise Unavailable(f"the instance at {url} is not ready: {said}")
        return read_part(answer, url, generation)

    def all_pages(self, parts: Sequence[PagePart]) -> list[Page]:
        """Take the pages of all parts, if they have every partition once.

        Raises:
            Unavailable: A partition is in none of them, or in two.
        """
        numbers = [number for part in parts for number in part.partitions]
        if sorted(numbers) != list(range(self._partitions)):
            missing = sorted(set(range(self._partitions)).difference(numbers))
            which = f"nobody has partitions {missing}" if missing else "two instances have the same partition"
            raise Unavailable(f"partitions of the result topic move between instances: {which} at the moment")
        return [part.page for part in parts]


def as_answer(part: PagePart, generation: int) -> dict[str, Any]:
    """Write the part that an instance tells another one."""
    return {
        "generation": generation,
        "partitions": sorted(part.partitions),
        "rows": part.page.rows,
        "more": part.page.more,
    }


def read_part(answer: Any, url: str, generation: int) -> PagePart:
    """Read what `as_answer` made.

    Raises:
        Unavailable: It is of another generation of the group, or something else answers there.
    """
    kinds = {"generation": int, "partitions": list, "rows": list, "more": bool}
    is_part = isinstance(answer, dict) and all(isinstance(answer.get(name), kind) for name, kind in kinds.items())
    # Whatever answers there, its rows are put into a page among ours.
    if not is_part or not all(map(is_row, answer["rows"])):
        raise Unavailable(f"something else than a table answers at {url} (STREAMVERIFY_ADVERTISED_URL)")
    if answer["generation"] != generation:
        raise Unavailable("partitions of the result topic move between instances at the moment")
    rows: list[Row] = answer["rows"]
    return PagePart(frozenset(answer["partitions"]), Page(rows, answer["more"]))
