"""Proofs to kimina's server, with what its own client makes of the answers (`ReplResponse.analyze`).

- `check`: by its client's way, POST /api/check, batches of 8, as many batches on their way as make `in_flight`.
- `verify`: POST /verify with one proof in each request, as its README shows for curl.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from kimina_client import AsyncKiminaClient, ReplResponse, Snippet, SnippetStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 8
"""The client's default."""
HTTP_TIMEOUT = 600
_ANSWERS = {
    SnippetStatus.valid: "valid",
    SnippetStatus.sorry: "invalid",
    SnippetStatus.lean_error: "invalid",
}
"""What else there is (time-out, an error of the REPL or the server) is no verdict."""


def said(case_id: str, response: ReplResponse, seconds: float) -> dict[str, Any]:
    """Return what the client makes of a response."""
    status = response.analyze().status
    detail = f"{status.value}{': ' + response.error[:80] if response.error else ''}"
    return {"id": case_id, "answer": _ANSWERS.get(status, "none"), "seconds": seconds, "detail": detail}


async def check(url: str, cases: Sequence[dict[str, str]], timeout: int, in_flight: int) -> list[dict[str, Any]]:
    """Send batches by the client, whose retries are as it has them."""
    client = AsyncKiminaClient(api_url=url, http_timeout=HTTP_TIMEOUT)
    allowed = asyncio.Semaphore(max(1, in_flight // BATCH))

    async def one(batch: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
        async with allowed:
            begun = time.perf_counter()
            snippets = [Snippet(id=case["id"], code=case["proof"]) for case in batch]
            response = await client.api_check(snippets, timeout=timeout, safe=True)
            seconds = time.perf_counter() - begun
            return [said(result.id, result, seconds) for result in response.results]

    batches = [cases[start : start + BATCH] for start in range(0, len(cases), BATCH)]
    return [each for answers in await asyncio.gather(*map(one, batches)) for each in answers]


async def verify(url: str, cases: Sequence[dict[str, str]], timeout: int, in_flight: int) -> list[dict[str, Any]]:
    """Send each proof in a request of its own."""
    allowed = asyncio.Semaphore(in_flight)
    async with httpx.AsyncClient(timeout=HTTP_TIMEOUT, limits=httpx.Limits(max_connections=in_flight)) as client:

        async def one(case: dict[str, str]) -> dict[str, Any]:
            async with allowed:
                begun = time.perf_counter()
                body = {"codes": [{"custom_id": case["id"], "proof": case["proof"]}], "timeout": timeout}
                response = await client.post(f"{url}/verify", json=body)
                seconds = time.perf_counter() - begun
                if response.is_error:
                    detail = f"HTTP {response.status_code}: {response.text[:80]}"
                    return {"id": case["id"], "answer": "none", "seconds": seconds, "detail": detail}
                result = response.json()["results"][0]
                fields = {name: result.get(name) for name in ("error", "response")}
                # The older endpoint gives a response beside an error, too; the client's model wants one of them.
                if fields["error"]:
                    fields["response"] = None
                return said(case["id"], ReplResponse(id=case["id"], **fields), seconds)

        return list(await asyncio.gather(*map(one, cases)))


async def run(config: dict[str, Any], cases: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Warm up, run the timed proofs, then the traps."""
    send = check if config["mode"] == "check" else verify

    async def all_of(chosen: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
        return await send(config["url"], chosen, config["timeout"], config["in_flight"])

    await all_of(config["warm_up"])
    begun = time.perf_counter()
    answers = await all_of([case for case in cases if not case["trap"]])
    elapsed = time.perf_counter() - begun
    answers += await all_of([case for case in cases if case["trap"]])
    return {"elapsed": elapsed, "said": answers}


def main() -> None:
    """Run the proofs of the file, and write what was said of them."""
    config = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    cases = [json.loads(line) for line in Path(config["cases"]).read_text("utf-8").splitlines()]
    found = asyncio.run(run(config, cases))
    Path(config["output"]).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
