"""Asks processes of ours over HTTP what they do. An address may be anybody's: what comes is bounded, and distrusted."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any, Literal

import aiohttp
from pydantic import ValidationError

from streamverify.core.overview.group import ProcessAnswer
from streamverify.core.overview.status import MAX_STATUS, STATUS_VERSION, WorkerStatus, cut

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

TIMEOUT = 2.0
"""Seconds for one answer: a worker makes it in milliseconds."""
_AT_ONCE = 64
_OK = 200
_UNAVAILABLE = 503
_NOT_FOUND = 404

_Kind = Literal["worker", "router", "table", "gateway", "unknown"]


class NoAnswer(Exception):
    """Nothing that can be used was answered; the text says what came instead."""

    def __init__(self, said: str, *, nobody: bool) -> None:
        super().__init__(said)
        self.nobody = nobody


class Asker:
    """Asks many addresses at once. Redirects are not followed, and nothing secret is sent."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the connections."""
        # Proxies of the environment are not used: workers are near.
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout), connector=aiohttp.TCPConnector(limit=_AT_ONCE)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        await self._session.close()

    async def ask_all(self, urls: Iterable[str]) -> dict[str, ProcessAnswer]:
        """Ask each address once."""
        urls = list(dict.fromkeys(urls))
        return dict(zip(urls, await asyncio.gather(*map(self.ask, urls)), strict=True))

    async def ask(self, url: str) -> ProcessAnswer:
        """Ask one address what is there and what it does. Raises nothing."""
        try:
            for path, read in (("/status", _of_worker), ("/ready", _of_ready), ("/health", _of_gateway)):
                # Others than workers have no `/status`, nor has a worker of an older version; an older gateway has only
                # `/health`.
                code, said = await self._get(f"{url}{path}")
                if code != _NOT_FOUND:
                    known = code in {_OK, _UNAVAILABLE} and isinstance(said, dict)
                    return read(url, code, said) if known else _stranger(url)
            return _stranger(url)
        except NoAnswer as none:
            return ProcessAnswer(url, problem=str(none), nobody=none.nobody)

    async def _get(self, url: str) -> tuple[int, Any]:
        """Get a small piece of JSON.

        Returns:
            The status code, and what came; None where it is no JSON.

        Raises:
            NoAnswer: Nothing came in time, or too much.
        """
        try:
            async with self._session.get(url, allow_redirects=False) as got:
                # A read may give less than it was asked for, and more may follow.
                body = await got.content.read(MAX_STATUS + 1)
                while len(body) <= MAX_STATUS and (more := await got.content.read(MAX_STATUS + 1 - len(body))):
                    body += more
                if len(body) > MAX_STATUS:
                    raise NoAnswer("something else answers there: more than a status has", nobody=False)
                return got.status, _json(body)
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._timeout:g} s", nobody=True) from None
        except aiohttp.ClientConnectorError as error:
            raise NoAnswer(f"nobody can be reached there ({_cause(error.os_error)})", nobody=True) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(f"something else answers there ({_cause(error)})", nobody=False) from None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # the second: lists within lists, thousands deep
        return None


def _cause(error: BaseException) -> str:
    # A failed look-up of a name has an error number of its own, below 0, for which the system has no words.
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return cut(" ".join(f"{getattr(error, 'strerror', None) or error}".split()) or type(error).__name__, 100)


def _stranger(url: str) -> ProcessAnswer:
    return ProcessAnswer(url, problem="something else than streamverify answers there")


def _of_worker(url: str, _code: int, said: dict[str, Any]) -> ProcessAnswer:
    """Read what is answered at `/status`."""
    if said.get("process") != "worker":
        return _stranger(url)
    try:
        status = WorkerStatus.model_validate(said)
    except ValidationError as error:
        version = said.get("schema_version")
        newer = isinstance(version, int) and version > STATUS_VERSION
        problem = "a later version of streamverify has to ask it" if newer else f"its status is wrong ({_first(error)})"
        return ProcessAnswer(url, "worker", ready=said.get("ready") is True, problem=problem)
    return ProcessAnswer(url, "worker", status, ready=status.ready, problem=status.problem)


def _first(error: ValidationError) -> str:
    [first, *_] = error.errors(include_url=False, include_input=False)
    return cut(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 100)


def _of_ready(url: str, code: int, said: dict[str, Any]) -> ProcessAnswer:
    """Read what is answered at `/ready` by a process that has no `/status`."""
    if not isinstance(said.get("ready"), bool):
        # A gateway answers here as at `/health`.
        return _of_gateway(url, code, said)
    # What each of them counts tells them apart; a worker of an older version has slots.
    kinds: dict[str, _Kind] = {"forwarded": "router", "rows": "table", "slots": "worker"}
    kind: _Kind = next((kind for field, kind in kinds.items() if field in said), "unknown")
    problem = _text(said.get("problem"))
    if kind == "worker":
        problem = "; ".join(filter(None, ["an older version, which has no /status", problem]))
    return ProcessAnswer(url, kind, ready=said["ready"], problem=problem)


def _of_gateway(url: str, code: int, said: dict[str, Any]) -> ProcessAnswer:
    """Read what a gateway answers at `/ready` and `/health`."""
    if code == _OK and said.get("status") == "ok" and "version" in said:
        return ProcessAnswer(url, "gateway", ready=True)
    trouble = _text(said.get("detail"))
    if code == _UNAVAILABLE and trouble:
        return ProcessAnswer(url, "gateway", ready=False, problem=trouble)
    return _stranger(url)


def _text(said: Any) -> str | None:
    return cut(said) if isinstance(said, str) and said else None
