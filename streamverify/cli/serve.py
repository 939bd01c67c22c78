"""`streamverify serve`: a broker, a worker and the gateway in one go, for a laptop or one node."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import SecretStr

from streamverify.cli.children import Children
from streamverify.cli.demo import start_broker
from streamverify.cli.errors import MissingExtraError
from streamverify.cli.options import EVERYTHING, with_settings
from streamverify.cli.output import print_line, remark, sigterm_interrupts
from streamverify.core.errors import ReplUnavailable, SettingsError
from streamverify.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.cli.children import Child
    from streamverify.core.messages.models import Verifier

EXAMPLES = """\
Examples
  streamverify serve                        with the Lean that is installed
  streamverify serve --gateway-port 0       on a free port
  streamverify serve --repl synthetic       without Lean: nothing is checked
  streamverify serve --bootstrap-servers kafka:9092     on your own Kafka

It prints the address of its page. Clients of kimina-lean-server and of AXLE
call the same address. Ctrl-C ends everything.

Without a Kafka of yours it starts a broker in memory: what is in flight is
lost when it ends, and only its own worker can serve it."""

EMBEDDED = {
    "gateway_in_flight": 500,
    # Characters, of which one may become six bytes in JSON: with the rest of 500 records less than the 5 MB that the
    # embedded broker keeps of a partition, and all proofs with one header go to one partition.
    "gateway_in_flight_bytes": 640 * 1024,
    "drain_timeout": 5.0,
}
"""The most that these settings may be on the embedded broker, which forgets what it has no room for, read or not."""
_POLL = 0.1
_GRACE = 3.0
"""Seconds that a child gets beyond its own drain limit before it is told again, and then killed."""


@with_settings(*EVERYTHING)
def serve(*, settings: Settings) -> None:
    """Run a worker and the HTTP gateway with its page, on a broker in memory or on your Kafka, until Ctrl-C.

    If BOOTSTRAP_SERVERS is set, by flag, variable or file, that Kafka is used; else a broker is started, which lives as
    long as this command. All other settings are those of `worker` and `gateway`.
    """
    own_broker = "bootstrap_servers" not in settings.model_fields_set
    # Asked for here: a child process could only end with it, one after the other.
    needed = {"fastapi": "gateway", "uvicorn": "gateway"} | ({"confluent_kafka": "embedded"} if own_broker else {})
    if missing := sorted({extra for module, extra in needed.items() if find_spec(module) is None}):
        raise MissingExtraError(f"serve needs more packages: pip install 'streamverify[{','.join(missing)}]'")
    host, port = listening_address(settings)
    verifier = asyncio.run(_verifier(settings))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Given up again at once, for the worker: whoever takes it in between makes the worker say so and end.
        ready_port: int = listening.getsockname()[1]
    chosen = child_settings(settings, verifier, own_broker=own_broker, port=port, ready_port=ready_port)
    for line in first_lines(settings, verifier, chosen, own_broker=own_broker):
        print_line(line)
    # The children get every setting that was given here from `chosen`, whichever way it was given.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {PREFIX + name.upper(): value for name, value in chosen.items()}
    patience = (float(chosen.get("drain_timeout", settings.drain_timeout)) + _GRACE, _GRACE)
    with sigterm_interrupts(), tempfile.TemporaryDirectory(prefix="streamverify-serve-") as folder:
        try:
            with Children(Path(folder), environment, cwd=Path.cwd(), patience=patience, visible=True) as children:
                servers = start_broker(children) if own_broker else settings.bootstrap_servers
                worker = children.start("worker", "worker", STREAMVERIFY_BOOTSTRAP_SERVERS=servers)
                gateway = children.start("gateway", "gateway", STREAMVERIFY_BOOTSTRAP_SERVERS=servers)
                _supervise(worker, gateway, f"http://127.0.0.1:{ready_port}/ready", f"http://{host}:{port}")
        except KeyboardInterrupt:
            remark("interrupted; everything that it started has been stopped")
            # To be told to stop is how it ends: that is no interruption.
            raise typer.Exit(0) from None


def listening_address(settings: Settings) -> tuple[str, int]:
    """Find out where the gateway will listen, before anything is started.

    Returns:
        The host to call it by, and the port.

    Raises:
        SettingsError: It cannot listen there.
    """
    host = settings.gateway_host or ("0.0.0.0" if settings.api_keys else "127.0.0.1")  # noqa: S104 - as the gateway does
    try:
        # Closed again before the gateway opens it: a port that is taken is said now, and not by a child that ends.
        with socket.create_server((host, settings.gateway_port)) as listening:
            port: int = listening.getsockname()[1]
    except OSError as error:
        hint = ": is another `streamverify serve` running? 0 takes a free port" if settings.gateway_port else ""
        raise SettingsError(
            f"STREAMVERIFY_GATEWAY_HOST, STREAMVERIFY_GATEWAY_PORT (--gateway-host, --gateway-port): cannot listen on "
            f"{host} port {settings.gateway_port} ({error.strerror}){hint}"
        ) from None
    return ("localhost" if host in {"0.0.0.0", "127.0.0.1", "::"} else host), port  # noqa: S104


async def _verifier(settings: Settings) -> Verifier:
    """Ask the REPL what it is, so that nothing is started that cannot verify; raises what a worker would."""
    from streamverify.lean.repl.launch import configured_repl, find_repl, probe  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.repl.resources import plan_for  # noqa: PLC0415 - keeps --help fast
    from streamverify.worker.start_checks import too_old  # noqa: PLC0415 - keeps --help fast

    found = await find_repl(settings.repl, settings.lean_project)
    plan = plan_for(settings, found)
    verifier = await probe(await configured_repl(settings, slots=plan.slots, spares=plan.spares, found=found))
    if refusal := too_old(verifier, settings.min_lean_version):
        raise ReplUnavailable(refusal)
    return verifier


def child_settings(
    settings: Settings, verifier: Verifier, *, own_broker: bool, port: int, ready_port: int
) -> dict[str, str]:
    """Choose the settings of worker and gateway: what was set here, in any way, and what one node needs besides."""
    given: dict[str, Any] = {name: getattr(settings, name) for name in settings.model_fields_set}
    # `/ready` is for this command alone; who wants the worker's own port runs `worker`.
    ours: dict[str, Any] = {"gateway_port": port, "http_host": "127.0.0.1", "http_port": ready_port}
    if own_broker:
        ours |= {name: min(most, getattr(settings, name)) for name, most in EMBEDDED.items()}
    if verifier.kind != "lean" and "require" not in given:
        # It cannot audit; each of its verdicts says that it is no Lean's.
        ours["require"] = "checked"
    if "log_level" not in given:
        ours["log_level"] = "warning"
    return {name: _text(value) for name, value in (given | ours).items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    # A file of settings, too, may name a path from where the command was started; the children are started there.
    return str(value)


def first_lines(settings: Settings, verifier: Verifier, chosen: Mapping[str, str], *, own_broker: bool) -> list[str]:
    """Say what this is, and what it verifies with."""
    if own_broker:
        broker = "a broker in memory (for real work use Apache Kafka), a worker and the HTTP gateway"
    else:
        broker = f"a worker and the HTTP gateway, on Kafka at {settings.bootstrap_servers}"
    if verifier.kind == "lean":
        what = f"Lean {verifier.lean_version or 'of an unknown version'}, sandbox {verifier.sandbox}"
    else:
        what = f"the stand-in {verifier.kind}, which is no Lean: nothing is checked"
    return [
        f"streamverify serve: {broker}.",
        f"It verifies with {what}; assurance {chosen.get('require', settings.require)}, where a request asks for none.",
    ]


def _supervise(worker: Child, gateway: Child, ready: str, url: str) -> None:
    """Say when the parts are ready, and wait for the end of one of them.

    Raises:
        ChildDied: One has ended by itself; all others are ended, too.
    """
    wait_for = [(f"{url}/health", f"The page is at {url}/"), (ready, "The worker is ready. Ctrl-C ends everything.")]
    while True:
        for child in (worker, gateway):
            child.check()
        if wait_for and _answers(wait_for[0][0]):
            print_line(wait_for.pop(0)[1])
        time.sleep(_POLL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0):  # noqa: S310 - an address of this machine
            return True
    except (OSError, urllib.error.URLError):
        return False
