"""The response to a batch: all at once, as one JSON document that is written as far as it is known, or as NDJSON."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from starlette.types import Receive, Scope, Send

    from streamverify.gateway.outcome import ProofOutcome

NDJSON = "application/x-ndjson"
STREAMED_FROM = 256
"""Proofs from which on a JSON answer is written while its later proofs still wait, in parts of about `_PART` bytes."""
_PART = 64 * 1024


class _PendingResponse(Response):
    """A response sent while its proofs still run.

    A disconnect cancels the rest and frees their places in the queue.

    waiting for outcomes --> begun: status and headers are sent --> ended
             +-------------- the client goes --------------------^
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer, unless the client closes its connection first."""
        working = asyncio.create_task(self._work(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            gone.cancel()
            working.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)

    async def _work(self, send: Send) -> None:
        raise NotImplementedError

    async def _send_whole(self, send: Send, body: bytes) -> None:
        self.raw_headers.append((b"content-length", str(len(body)).encode()))
        await self._begin(send)
        await send({"type": "http.response.body", "body": body})

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


class SingleResponse(_PendingResponse):
    """Answers a request for one proof with one line of JSON."""

    def __init__(
        self, outcomes: AsyncGenerator[tuple[int, ProofOutcome], None], answer: Callable[[ProofOutcome], dict[str, Any]]
    ) -> None:
        super().__init__(None, media_type="application/json")
        # Starlette has set it to 0: the body is not known yet.
        del self.headers["content-length"]
        self._outcomes = outcomes
        self._answer = answer

    async def _work(self, send: Send) -> None:
        async with aclosing(self._outcomes) as outcomes:
            [(_, outcome)] = [found async for found in outcomes]
        await self._send_whole(send, orjson.dumps(self._answer(outcome), option=orjson.OPT_APPEND_NEWLINE))


class BatchResponse(_PendingResponse):
    """Answers a batch."""

    def __init__(
        self,
        outcomes: AsyncGenerator[tuple[int, ProofOutcome], None],
        count: int,
        item: Callable[[int, ProofOutcome], dict[str, Any]],
        *,
        ndjson: bool,
    ) -> None:
        """Nothing is sent yet.

        Args:
            outcomes: Each with the index of its proof; in the order of the proofs, if it is not NDJSON.
            count: How many there will be.
            item: Makes the answer to the proof with that index.
            ndjson: A line for each as it comes, instead of one document in the order of the batch.
        """
        super().__init__(None, media_type=NDJSON if ndjson else "application/json")
        del self.headers["content-length"]
        self._outcomes = outcomes
        self._count = count
        self._item = item
        self._ndjson = ndjson

    async def _work(self, send: Send) -> None:
        async with aclosing(self._outcomes) as outcomes:
            # A small document is written at once, with its length.
            if not self._ndjson and self._count < STREAMED_FROM:
                results = [self._item(index, outcome) async for index, outcome in outcomes]
                await self._send_whole(send, orjson.dumps({"results": results}))
                return
            await self._begin(send)
            # A line for each proof as soon as its verdict is there.
            if self._ndjson:
                async for index, outcome in outcomes:
                    item = {"index": index, **self._item(index, outcome)}
                    line = orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE)
                    await send({"type": "http.response.body", "body": line, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                return
            # A large document is written as its results come, which is in their order: it is never held as a whole.
            part = bytearray(b'{"results":[')
            async for index, outcome in outcomes:
                part += b"," if index else b""
                part += orjson.dumps(self._item(index, outcome))
                if len(part) >= _PART:
                    await send({"type": "http.response.body", "body": bytes(part), "more_body": True})
                    part.clear()
        await send({"type": "http.response.body", "body": bytes(part) + b"]}"})


async def _disconnected(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
