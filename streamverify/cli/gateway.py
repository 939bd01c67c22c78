"""`streamverify gateway`."""

from __future__ import annotations

import asyncio
import os

import typer

from streamverify.cli.options import BOTH, GATEWAY, with_settings
from streamverify.cli.services import LOG, extra
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

EXAMPLES = """\
Examples
  streamverify gateway
  streamverify gateway --bootstrap-servers kafka:9092 --gateway-port 8080
  STREAMVERIFY_API_KEYS="trainer=SECRET eval=SECRET" streamverify gateway
  curl localhost:8000/api/check -H 'Content-Type: application/json' \\
    -d '{"snippets": [{"id": "a", "code": "theorem t : 1 = 1 := rfl"}]}'

Clients of kimina-lean-server and of AXLE need another URL and nothing else.
Start as many as you like: each answers its own requests. SIGTERM or Ctrl-C
lets it answer the requests that it holds, and ends it; a second signal ends
it at once."""

_SETTINGS = (
    *BOTH,
    "group_id",
    *GATEWAY,
    "require_min",
    "max_proof_bytes",
    "drain_timeout",
    *LOG,
)


@with_settings(*_SETTINGS)
def gateway(*, settings: Settings) -> None:
    """Take proofs over HTTP, have the workers of the request topic verify them, and answer with the verdicts.

    It has the endpoints of kimina-lean-server and of AXLE, so their clients work unchanged (docs/gateway.md). It needs
    workers that serve the topics.
    """
    from streamverify.logs import configure  # noqa: PLC0415 - keeps --help fast

    with extra("gateway", "the gateway needs FastAPI and uvicorn", "fastapi", "uvicorn", "starlette"):
        from streamverify.gateway.lifecycle import run_gateway  # noqa: PLC0415 - keeps --help fast
        from streamverify.gateway.old_names import with_old_names  # noqa: PLC0415 - keeps --help fast
    configure(settings.log_level, settings.log_format, log_dir=settings.log_dir, name="gateway")
    # Only now, as it says in the log what it takes; what it takes may change the log.
    settings = with_old_names(settings, os.environ)
    configure(settings.log_level, settings.log_format, log_dir=settings.log_dir, name="gateway")
    raise typer.Exit(asyncio.run(run_gateway(settings)))
