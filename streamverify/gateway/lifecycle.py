"""The gateway as a process: it connects, listens, serves, and drains on SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING, Literal

import structlog
import uvicorn

from streamverify.core.errors import SettingsError
from streamverify.gateway.app import create_app
from streamverify.gateway.gateway import Gateway
from streamverify.runtime import EXIT_CUT_SHORT, EXIT_DONE, Signals, end_tasks, unless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - only where keys are set, or somebody has said so
_BACKLOG = 2048
_LOOK_EVERY = 0.1
"""Seconds between two looks whether the last request that a draining gateway holds is answered."""


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
    # Before Kafka is asked: that a port is taken is known at once.
    listening = listen(host_of(settings), settings.gateway_port)
    with listening:
        try:
            if not await unless(signals.drain, gateway.start()):
                return EXIT_DONE
            return await _serve(gateway, listening, signals)
        finally:
            await gateway.close()


def host_of(settings: Settings) -> str:
    """Return the address to listen on: nobody but this machine gets in without a key, unless somebody has said so."""
    return settings.gateway_host or (EVERYWHERE if settings.api_keys else LOOPBACK)


async def _serve(gateway: Gateway, listening: socket.socket, signals: Signals) -> int:
    config = uvicorn.Config(
        create_app(gateway),
        log_config=None,
        log_level="warning",  # that it starts and stops is said by us
        access_log=False,
        server_header=False,
        lifespan="off",
    )
    server = Server(config)
    reading = asyncio.create_task(gateway.run())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    draining = asyncio.create_task(signals.drain.wait())
    forced = asyncio.create_task(signals.force.wait())
    host, port = listening.getsockname()[:2]
    announce(gateway, host, port)
    try:
        await asyncio.wait({reading, serving, draining}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()  # raises what ended it
        await _drain(gateway, server, serving, forced)
        # What is held still gets no answer any more: a second signal came, or the drain has taken too long.
        cut_short = gateway.admission.requests
        if not serving.done():
            # What it says of the requests that it gives up is no error of theirs.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            server.force_exit = True
        await serving
    finally:
        await end_tasks(reading, draining, forced)
    if cut_short:
        _log.warning(
            "cut_short",
            requests=cut_short,
            hint="these requests got no answer; their proofs are on the topic and are verified until their deadline; "
            "a longer DRAIN_TIMEOUT lets more of them finish",
        )
        return EXIT_CUT_SHORT
    return EXIT_DONE


async def _drain(
    gateway: Gateway, server: Server, serving: asyncio.Task[None], forced: asyncio.Task[Literal[True]]
) -> None:
    """Answer what is held, in time; take nothing more.

    It listens for as long as it holds requests: a probe finds it alive and not ready, and a client that was sent here a
    moment too late gets a 503 with words, and no refused connection.
    """
    gateway.closing.set()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + gateway.settings.drain_timeout
    while gateway.admission.requests and loop.time() < deadline and not (serving.done() or forced.done()):
        await asyncio.wait({serving, forced}, timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    # uvicorn still sends what is written; it gets what is left of the time.
    left = max(0.0, deadline - loop.time())
    await asyncio.wait({serving, forced}, timeout=left, return_when=asyncio.FIRST_COMPLETED)


def announce(gateway: Gateway, host: str, port: int) -> None:
    """Say in the log where it listens, what it asks for and who may call."""
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
    if not gateway.keys and not ipaddress.ip_address(host).is_loopback:
        _log.warning(
            "open_to_all",
            host=host,
            hint="whoever reaches this address may have proofs verified: set STREAMVERIFY_API_KEYS (NAME=KEY)",
        )


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
