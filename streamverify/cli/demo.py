"""`streamverify demo`: runs everything on this machine, for a first look. `make demo` starts it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from streamverify.cli.checks import Duration
from streamverify.cli.children import Child, Children
from streamverify.cli.output import STATUS_STYLES, remark, sigterm_interrupts, stdout
from streamverify.cli.render import first_message
from streamverify.core.errors import ReplUnavailable
from streamverify.core.messages.models import Assurance, Status
from streamverify.settings import PREFIX, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from streamverify.core.messages.models import ProofRequest, ProofResult

EXAMPLES = """\
Examples
  streamverify demo                  with Lean where it is installed, else
                                     with recorded answers
  streamverify demo --repl replay    with recorded answers in any case
  make demo                          the same, in a virtual environment"""

_BROKER_START_TIMEOUT = 20.0
_POLL = 0.1
_DRAIN = "5"
"""Seconds that the worker drains: after Ctrl-C nobody waits a minute for a demo."""

_WITH_LEAN = "[bold]Lean[/] is installed here ({where}) and checks the proofs now: each verdict below is Lean's own."
_WITH_RECORDINGS = (
    "There is [bold]no Lean[/] here, so the replay REPL answers in its place, with what Lean 4.0.0 (June 2021) said\n"
    "to these very proofs. Kafka protocol, worker, process pool and delivery are the real thing; the verdicts are\n"
    "repeated from the recording, and nothing is checked now. To see your own Lean, run ./setup_lean.sh, then this\n"
    "command again."
)
_AS_ASKED = "The REPL that you asked for answers: [bold]{where}[/]."
_AUDITED = (
    "The assurance is [bold]audited[/], as it is by default: Lean accepted the whole file, and an audit found neither\n"
    "an own axiom nor a trick."
)
_CHECKED = (
    "The assurance is only [bold]checked[/]: Lean accepted the whole file without error and without sorry, which a\n"
    "cheat can arrange. A worker with Lean audits by default; where it shows without Lean that an audit would reject\n"
    "a proof, its row says so."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The REPL of this demo, the assurance that it can give, and the words that introduce it."""

    repl: str
    require: Assurance
    words: str


def demo(
    *,
    repl: Annotated[
        str,
        typer.Option(help="REPL that verifies: auto (Lean, else recordings), replay, synthetic, or a command line."),
    ] = "auto",
    wait: Annotated[float, Duration("Seconds to wait for all verdicts.", above=1.0)] = 600.0,
) -> None:
    """Start a broker in memory and a worker, send 42 small proofs, show the verdicts, and stop everything.

    The demo needs no Kafka, no Docker and no Lean, and leaves no process behind.
    """
    console = stdout()
    requests = bundled_proofs()
    choice = asyncio.run(choose(repl))
    console.print(f"{choice.words}\n{_CHECKED if choice.require is Assurance.CHECKED else _AUDITED}\n")
    start = time.monotonic()
    with sigterm_interrupts(), tempfile.TemporaryDirectory(prefix="streamverify-demo-") as folder:
        try:
            with Children(Path(folder), child_environment(os.environ, choice)) as children:
                results = _run(console, children, requests, wait)
        except KeyboardInterrupt:
            remark("interrupted; broker and worker have been stopped")
            raise
    _summarize(console, requests, results, time.monotonic() - start)


def bundled_proofs() -> list[ProofRequest]:
    """Read the proofs that come with the package; none of them needs Mathlib."""
    from streamverify.core.messages.models import ProofRequest  # noqa: PLC0415 - keeps --help fast
    from streamverify.standins.replay import BUNDLED  # noqa: PLC0415 - keeps --help fast

    lines = BUNDLED.read_bytes().splitlines()
    recorded = [orjson.loads(line) for line in lines if line.strip()]
    return [ProofRequest(custom_id=each["custom_id"], proof=each["proof"]) for each in recorded]


async def choose(repl: str) -> Choice:
    """Choose Lean if it is installed, else the recordings; any other REPL as it was asked for."""
    from streamverify.lean.repl.launch import find_repl  # noqa: PLC0415 - keeps --help fast

    if repl == "replay":
        words = _WITH_RECORDINGS.replace("There is [bold]no Lean[/] here, so the", "As asked, the")
        return Choice(repl, Assurance.CHECKED, words)
    if repl != "auto":
        # It may be a stand-in, which cannot be audited.
        return Choice(repl, Assurance.CHECKED, _AS_ASKED.format(where=repl))
    try:
        found = await find_repl("auto", load_settings().lean_project)
    except ReplUnavailable:
        return Choice("replay", Assurance.CHECKED, _WITH_RECORDINGS)
    return Choice("auto", Assurance.AUDITED, _WITH_LEAN.format(where=found.cwd or found.argv[0]))


def child_environment(environment: dict[str, str] | os._Environ[str], choice: Choice) -> dict[str, str]:
    """Make the environment of broker and worker. Settings for a real Kafka are left out: the demo must not go there."""
    kept = {name: value for name, value in environment.items() if not name.startswith(PREFIX)}
    # What confines Lean is no matter of Kafka's: an error of the worker says to set these two.
    confined = {PREFIX + name for name in ("SANDBOX", "SANDBOX_READ")}
    kept |= {name: value for name, value in environment.items() if name in confined}
    for name in ("LEAN_HOME", "LEAN_PROJECT"):
        # The children run in a folder of their own, where a relative path would name something else.
        if environment.get(PREFIX + name):
            kept[PREFIX + name] = str(Path(environment[PREFIX + name]).absolute())
    ours = {"REPL": choice.repl, "REQUIRE": str(choice.require), "HTTP_PORT": "0", "DRAIN_TIMEOUT": _DRAIN}
    return kept | {PREFIX + name: value for name, value in ours.items()}


def _run(console: Console, children: Children, requests: list[ProofRequest], wait: float) -> list[ProofResult]:
    address = start_broker(children)
    worker = children.start("worker", "worker", STREAMVERIFY_BOOTSTRAP_SERVERS=address)
    console.print(f"Broker at {address} (in memory), one worker, {len(requests)} proofs.")
    return asyncio.run(_verify(console, address, worker, requests, wait))


def start_broker(children: Children) -> str:
    """Start an embedded broker in a child process.

    Returns:
        Its bootstrap servers.

    Raises:
        ChildDied: The broker did not start.
    """
    line = children.start("broker", "broker", "--json").first_line(_BROKER_START_TIMEOUT)
    address: str = orjson.loads(line)["bootstrap_servers"]
    return address


async def _verify(
    console: Console, address: str, worker: Child, requests: list[ProofRequest], wait: float
) -> list[ProofResult]:
    """Collect all results, in the order of the requests; raise ChildDied if the worker ends before."""
    verifying = asyncio.create_task(_collect(console, address, requests, wait))
    try:
        # The client cannot know that the worker has died: it would wait for its whole time.
        while not verifying.done():
            worker.check()
            await asyncio.wait({verifying}, timeout=_POLL)
        return verifying.result()
    finally:
        verifying.cancel()
        await asyncio.gather(verifying, return_exceptions=True)


async def _collect(console: Console, address: str, requests: list[ProofRequest], wait: float) -> list[ProofResult]:
    from streamverify.client import AsyncClient  # noqa: PLC0415 - keeps --help fast
    from streamverify.settings import Settings  # noqa: PLC0415 - keeps --help fast

    # The defaults but for the address: the user's own topics and login are not for this broker.
    settings = Settings.model_construct(bootstrap_servers=address)
    results: list[ProofResult | None] = [None] * len(requests)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("verified by now", total=len(requests))
        async with AsyncClient(settings) as client, aclosing(client.verify_each(requests, wait)) as answers:
            async for answer in answers:
                results[answer.index] = answer.result
                progress.advance(task)
    return [result for result in results if result is not None]


def _summarize(console: Console, requests: list[ProofRequest], results: list[ProofResult], seconds: float) -> None:
    table = Table("id", "verdict", "message", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    # Ids and verdicts are short here; what is left of the line is for the sentences.
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    suspect = 0
    for request, result in zip(requests, results, strict=True):
        objection = audit_without_lean(request.proof, result)
        suspect += objection is not None
        if result.status is Status.VERIFIED and result.assurance == Assurance.CHECKED:
            verdict = Text("verified, only checked", "yellow" if objection else "green")
        else:
            verdict = Text(f"{result.status}, {result.reason}", STATUS_STYLES[result.status])
        message = Text(objection, "yellow") if objection else Text(first_message(result))
        table.add_row(Text(result.custom_id), verdict, message)
    console.print()
    console.print(table)
    counts = ", ".join(f"{sum(result.status is status for result in results)} {status}" for status in Status)
    kinds = ", ".join(sorted({result.verifier.kind for result in results}))
    console.print(f"\n[bold]{len(results)} proofs: {counts}.[/] Answered by: {kinds}. {seconds:.1f} s in all.")
    if suspect:
        console.print(f"{suspect} of those verified are [bold]only checked[/]: an audit would reject them.")
    console.print(f"Broker and worker have ended. Next: {own_command()} --help, or README.md.", soft_wrap=True)


def audit_without_lean(proof: str, result: ProofResult) -> str | None:
    """Say why an audit would reject a proof that was only checked, as far as this shows without Lean, or None."""
    from streamverify.core.audit.policy import TokenizedProof  # noqa: PLC0415 - keeps --help fast
    from streamverify.core.syntax.header import parse_header  # noqa: PLC0415 - keeps --help fast

    if result.status is not Status.VERIFIED or result.assurance != Assurance.CHECKED:
        return None
    if result.findings:
        first = result.findings[0]
        return f"an audit would reject it: {first.rule}, `{first.excerpt}` in line {first.line}"
    declared = TokenizedProof(proof, parse_header(proof)).declared()
    if not any(item.kind in {"theorem", "lemma"} for item in declared):
        return "an audit would reject it: no_theorem, nothing is proved here"
    return None


def own_command() -> str:
    """Write this command as it can be typed here: its name where the shell finds it, else its path."""
    ours = Path(sys.executable).with_name("streamverify")
    # Another installation may come first on the PATH, or none is there, as in a virtual environment that is not active.
    found = shutil.which("streamverify")
    if found is not None and Path(found).resolve() == ours.resolve():
        return "streamverify"
    return os.path.relpath(ours) if ours.is_relative_to(Path.cwd()) else str(ours)
