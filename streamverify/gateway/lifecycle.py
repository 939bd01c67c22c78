"""The gateway as a process: it connects, listens, serves, and drains on SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import structlog
import uvicorn

from streamverify.core.errors import SettingsError
from streamverify.gateway.app import create_app
from streamverify.gateway.service import Gateway
from streamverify.runtime import EXIT_CUT_SHORT, EXIT_DONE, Signals, unless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - only where keys are set, or somebody has said so
_BACKLOG = 2048


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: ours drain, and choose the exit code."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def run_gateway(settings: Settings) -> int:
    """Serve until a signal comes.

    Returns:
        The exit code.

    Raises:
        BrokerUnavailable: No broker answers at the start, or a topic is not there.
        SettingsError: It cannot listen there.
    """
    signals = Signals()
    signals.listen()
    gateway = Gateway(settings)
    host = settings.gateway_host or (EVERYWHERE if settings.api_keys else LOOPBACK)
    listening = listen(host, settings.gateway_port)
    with listening:
        try:
            if not await unless(signals.drain, gateway.start()):
                return EXIT_DONE
            return await _serve(gateway, listening, signals)
        finally:
            await gateway.close()


async def _serve(gateway: Gateway, listening: socket.socket, signals: Signals) -> int:
    settings = gateway.settings
    config = uvicorn.Config(
        create_app(gateway),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=int(settings.drain_timeout) or 1,
    )
    server = Server(config)
    reading = asyncio.create_task(gateway.run())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    draining = asyncio.create_task(signals.drain.wait())
    forced = asyncio.create_task(signals.force.wait())
    host, port = listening.getsockname()[:2]
    _announce(gateway, host, port)
    try:
        await asyncio.wait({reading, serving, draining}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()  # raises what ended it
        gateway.closing.set()
        server.should_exit = True
        await asyncio.wait({serving, forced}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            server.force_exit = True
        cut_short = gateway.admission.requests
        await serving
    finally:
        for task in (reading, draining, forced):
            task.cancel()
        await asyncio.gather(reading, draining, forced, return_exceptions=True)
    if cut_short:
        _log.warning(
            "cut_short",
            requests=cut_short,
            hint="these requests got no answer; their proofs are on the topic and are verified until their deadline",
        )
        return EXIT_CUT_SHORT
    return EXIT_DONE


def _announce(gateway: Gateway, host: str, port: int) -> None:
    settings = gateway.settings
    _log.info(
        "gateway_listening",
        url=f"http://{host}:{port}",
        require=str(gateway.assurance(None)),
        verify_proof="audited",
        environments=" ".join(gateway.environments),
        keys=gateway.keys.names or "none",
    )
    if gateway.assurance(None) == "checked":
        _log.info(
            "checked_only",
            endpoints="/api/check /verify",
            hint="as with the servers that they stand in for, a proof is valid if Lean accepts the file: it may have "
            "axioms of its own. GATEWAY_REQUIRE=audited, or `require` in a request, asks for an audit",
        )
    if not gateway.keys and host != LOOPBACK:
        _log.warning(
            "open_to_all",
            host=host,
            hint="whoever reaches this address may have proofs verified: set STREAMVERIFY_API_KEYS (NAME=KEY)",
        )
    if settings.max_proof_bytes > settings.gateway_body:
        _log.info("gateway_body_is_small", gateway_body=settings.gateway_body, max_proof_bytes=settings.max_proof_bytes)


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        SettingsError: The port is taken, or this user may not listen there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # Not `socket.create_server`: asyncio sets TCP_NODELAY only where it sees that the protocol is TCP, and without
        # it an answer in two pieces waits 40 ms for the client's acknowledgement of the first.
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise SettingsError(
            f"STREAMVERIFY_GATEWAY_HOST, STREAMVERIFY_GATEWAY_PORT (--gateway-host, --gateway-port): cannot listen on "
            f"{host} port {port} ({error.strerror}); port 0 takes a free one"
        ) from None
    else:
        return listening
