"""Shows the counts of all routers, read from the changelog of their table.

The table of a router holds only the partitions that the router owns. The changelog has what all routers write, so each
can show all counts, and none needs to reach another.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiokafka import TopicPartition

from streamverify.bus.connection import connect, make_reader, patiently
from streamverify.bus.topics import changelog_topic
from streamverify.router.header_counts import OTHERS, Count, summed

if TYPE_CHECKING:
    from streamverify.settings import Settings
    from streamverify.streams.partitioned_rows import Key

_POLL_MS = 500
_ROWS = 50
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>streamverify router</title>
<style>body{{font:15px/1.5 system-ui;margin:2em}}td,th{{padding:.2em 1em;text-align:right;vertical-align:top}}
td:first-child,th:first-child{{text-align:left;white-space:pre-line;font-family:monospace}}</style>
<h1>{total:,} proofs forwarded</h1><p>{note}<a href="/headers">as JSON</a></p>
<table><tr><th>header<th>proofs<th>share</tr>{rows}</table></html>"""


class HeaderView:
    """Follows the changelog from its beginning and keeps the counts in memory.

    MADE ── start: its ends are known ──> BEHIND ── run has read up to them ──> complete, for good
    any but MADE ── close ──> CLOSED
    """

    def __init__(self, settings: Settings, partitions: int) -> None:
        topic = changelog_topic(settings)
        self._settings = settings
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._counts: dict[Key, Count] = {}
        self._behind: dict[TopicPartition, int] = {}

    @property
    def complete(self) -> bool:
        """True once all records that were there at the start have been read."""
        return not self._behind

    @property
    def headers(self) -> int:
        """The number of headers that are counted apart."""
        return len({fingerprint for _, fingerprint in self._counts} - {OTHERS})

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        self._consumer = await connect(lambda: make_reader(self._settings), self._settings.bootstrap_servers)
        self._consumer.assign(self._partitions)
        ends = await patiently(lambda: self._consumer.end_offsets(self._partitions), self._settings.bootstrap_servers)
        # Of an empty partition nothing has to be read.
        self._behind = {partition: end for partition, end in ends.items() if end}

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for records in batches.values():
                for record in records:
                    self.fold(record.key, record.value)
            for partition in list(self._behind):
                if await self._consumer.position(partition) >= self._behind[partition]:
                    del self._behind[partition]

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def fold(self, key: Any, value: bytes | None) -> None:
        """Apply one record of the changelog."""
        partition, fingerprint = json.loads(key)
        if value is None:
            self._counts.pop((partition, fingerprint), None)
        else:
            self._counts[partition, fingerprint] = Count.of(json.loads(value))

    def summary(self) -> dict[str, Any]:
        """Make the answer to `/headers`. `complete` is false until the changelog has been read once."""
        headers = summed(self._counts)
        return {"complete": self.complete, "total": sum(row["count"] for row in headers), "headers": headers}

    async def answer_json(self, _request: web.Request) -> web.Response:
        """Answer `/headers`."""
        return web.json_response(self.summary())

    async def answer_page(self, _request: web.Request) -> web.Response:
        """Answer `/`."""
        summary = self.summary()
        rows = "".join(map(_row, summary["headers"][:_ROWS]))
        note = "" if summary["complete"] else "Still reading the counts. "
        return web.Response(
            text=_PAGE.format(total=summary["total"], note=note, rows=rows), content_type="text/html", charset="utf-8"
        )


def _row(row: dict[str, Any]) -> str:
    name = row["header"].strip() or ("(all others)" if row["fingerprint"] == OTHERS else "(no imports)")
    return f"<tr><td>{html.escape(name)}<td>{row['count']:,}<td>{row['share']:.1%}</tr>"
