"""The endpoints of the table: one result, pages of results, and what instances ask each other.

Programs get JSON, browsers HTML, by the `Accept` header. An answer is about all partitions, or it is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import structlog
from aiohttp import web

from streamverify.core.errors import InvalidQuery
from streamverify.core.messages.models import MAX_CUSTOM_ID
from streamverify.core.table.pages import Page, merge, parse_query
from streamverify.core.table.row import newest_row, shown
from streamverify.table.html_pages import error_page, result_page, results_page
from streamverify.table.peers import PagePart, TooSlow, Unavailable, as_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from streamverify.core.table.row import Row
    from streamverify.runtime import Handler
    from streamverify.table.completeness import Assignment, Completeness
    from streamverify.table.peers import Peers
    from streamverify.table.whole import WholeResults

_log = structlog.get_logger(__name__)

_RETRY_AFTER = "2"
_HEADERS = {
    # Nothing in a page may do anything, whatever an id or a summary says.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept",
}


class Endpoints:
    """Answers requests of programs, browsers and other instances."""

    def __init__(self, completeness: Completeness, peers: Peers, whole: WholeResults) -> None:
        self._completeness = completeness
        self._peers = peers
        self._whole = whole

    def pages(self) -> dict[str, Handler]:
        """By path: what answers."""
        return {
            "/": _answering(self.answer_results),
            "/results": _answering(self.answer_results),
            r"/results/{custom_id:[\s\S]+}": _answering(self.answer_result),
            "/local": _answering(self.answer_local),
        }

    async def answer_results(self, request: web.Request) -> web.Response:
        """Answer `/results?prefix=&reason=&run=&after=&limit=`, and `/results?id=`."""
        if "id" in request.query:
            return await self.answer_result(request)
        wanted = parse_query(request.query.items())
        # Before the others are asked: their answers have to be of the same generation.
        held = self._held()
        mine = PagePart(held.partitions, self._page(wanted.as_query()))
        parts = [mine, *await self._peers.ask(wanted.as_query(), held.generation)]
        pages = self._peers.all_pages(parts)
        page = merge([each.rows for each in pages], wanted.limit, more=any(each.more for each in pages))
        if _wants_html(request):
            return _html(results_page(page, wanted))
        return _json({"results": [shown(row) for row in page.rows], "after": page.after})

    async def answer_result(self, request: web.Request) -> web.Response:
        """Answer `/results/CUSTOM_ID`, with `?full=true` the whole result, too."""
        custom_id, full = _one(request)
        held = self._held()
        query = [("id", custom_id)]
        parts = [PagePart(held.partitions, self._page(query)), *await self._peers.ask(query, held.generation)]
        rows = [row for page in self._peers.all_pages(parts) for row in page.rows]
        if not rows:
            return _error(request, 404, f"there is no result of {custom_id!r} in the table")
        row = newest_row(rows)
        if full:
            return await self._answer_whole(request, row)
        return _html(result_page(row)) if _wants_html(request) else _json(shown(row))

    async def _answer_whole(self, request: web.Request, row: Row) -> web.Response:
        try:
            value = await self._whole.fetch(row)
        except TimeoutError:
            return _error(request, 504, "the broker did not give the result out in time")
        if value is None:
            return _error(
                request, 410, "the result topic has only newer records by now: this is all that is known", row
            )
        # The result as the worker wrote it: reading and writing it again might change a number or a character.
        body = b'{"row":' + orjson.dumps(shown(row)) + b',"result":' + value + b"}"
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    async def answer_local(self, request: web.Request) -> web.Response:
        """Answer what another instance asks: the part of this one alone."""
        held = self._held()
        part = PagePart(held.partitions, self._page(list(request.query.items())))
        return _json(as_answer(part, held.generation))

    def _held(self) -> Assignment:
        held = self._completeness.complete
        if held is None:
            raise Unavailable("the table reads its partitions: /ready says when it is done")
        return held

    def _page(self, query: Sequence[tuple[str, str]]) -> Page:
        """Make the part of an answer that this instance has."""
        partitions = self._completeness.partitions_held
        ids = [value for name, value in query if name == "id"]
        if ids:
            return Page([rows[ids[0]] for rows in partitions.values() if ids[0] in rows], more=False)
        wanted = parse_query(query)
        return merge([rows.page(wanted) for rows in partitions.values()], wanted.limit)


def _one(request: web.Request) -> tuple[str, bool]:
    """Read the id that is asked for, and whether its whole result is."""
    query = request.query
    ids = [request.match_info["custom_id"]] if "custom_id" in request.match_info else query.getall("id")
    unknown = sorted(
        set(query) - {"full", "id"} | ({"id"} & set(query) if "custom_id" in request.match_info else set())
    )
    if unknown:
        raise InvalidQuery(f"there is no parameter {unknown[0]!r} beside an id; there is: full")
    if len(ids) != 1 or not 1 <= len(ids[0]) <= MAX_CUSTOM_ID:
        raise InvalidQuery(f"one id is asked for at a time, of 1 to {MAX_CUSTOM_ID} characters")
    if query.get("full", "false") not in {"true", "false"} or len(query.getall("full", [])) > 1:
        raise InvalidQuery("the parameter full is `true` or `false`, once")
    return ids[0], query.get("full") == "true"


def _answering(answer: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    """Make every failure an answer: JSON for programs, a sentence for browsers."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            response = await answer(request)
        except InvalidQuery as error:
            response = _error(request, 400, str(error))
        except Unavailable as error:
            response = _error(request, 503, str(error))
            response.headers["Retry-After"] = _RETRY_AFTER
        except TooSlow as error:
            response = _error(request, 504, str(error))
        except Exception:  # noqa: BLE001 - aiohttp would answer with a page of its own
            _log.exception("request_failed", path=request.path[:200], hint="a defect: please report it with this log")
            response = _error(request, 500, "this request has met a defect; the log has it")
        response.headers.update(_HEADERS)
        return response

    return handler


def _wants_html(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(answer), status=status, content_type="application/json", charset="utf-8")


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def _error(request: web.Request, status: int, sentence: str, row: Row | None = None) -> web.Response:
    if _wants_html(request):
        return _html(error_page(sentence), status)
    return _json({"error": sentence} if row is None else {"error": sentence, "row": shown(row)}, status)
