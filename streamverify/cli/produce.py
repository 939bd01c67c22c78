"""`streamverify produce`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from streamverify.cli.options import REQUESTS, with_settings
from streamverify.cli.output import plural, print_json, print_line, remark, stderr
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.cli.inputs import Inputs
    from streamverify.client import Client
    from streamverify.core.messages.models import ProofRequest

EXAMPLES = """\
Examples
  streamverify produce proofs.jsonl --timeout 30
  streamverify produce Proofs/ more/*.lean
  zcat proofs.jsonl.gz | streamverify produce - --json

JSONL has one request in a line: {"custom_id": "1", "proof": "theorem ..."}.
The custom_id of a .lean file is its path. From a folder every .lean and
.jsonl file is sent, at any depth. Standard input is JSONL or one Lean file.

A line that is no request is reported as file:line and skipped; the others are
sent, and the exit code is 2. Read the verdicts with `streamverify results`."""

_SHOWN_ERRORS = 20


@dataclass(slots=True)
class Tally:
    """Counts the proofs that were sent and the items that could not be."""

    sent: int = 0
    unusable: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, where: str, error: str) -> None:
        """Count and report an item that is no request."""
        self.unusable += 1
        if len(self.errors) < _SHOWN_ERRORS:
            self.errors.append({"where": where, "error": error})
            remark(f"{where}: {error}", label="unusable", style="red")
        elif self.unusable == _SHOWN_ERRORS + 1:
            remark("more errors follow; they are counted, but not shown", label="unusable", style="red")


@with_settings(*REQUESTS, "max_proof_bytes")
def produce(
    *,
    settings: Settings,
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="JSONL, .lean files, folders; - is stdin.")],
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that Lean may run on each proof, in place of what its request says.")
    ] = None,
    require: Annotated[
        Literal["checked", "audited"] | None,
        typer.Option(help="Assurance to ask for, in place of what the requests say."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
) -> None:
    """Write proofs to the request topic. Ends when the broker has them, and does not wait for verdicts."""
    from streamverify.cli.inputs import Inputs, Overrides  # noqa: PLC0415 - keeps --help fast

    inputs = Inputs.find(files, Overrides(timeout, require))
    start = time.monotonic()
    tally = asyncio.run(_produce(settings, inputs))
    _summarize(tally, settings, time.monotonic() - start, as_json=as_json)
    if tally.unusable:
        raise typer.Exit(2)


async def _produce(settings: Settings, inputs: Inputs) -> Tally:
    from streamverify.client import Client  # noqa: PLC0415 - keeps --help fast

    tally = Tally()
    with _progress() as progress:
        task = progress.add_task("sending", total=inputs.total, sent=0)

        async def requests(client: Client) -> AsyncIterator[ProofRequest]:
            from streamverify.cli.inputs import in_thread  # noqa: PLC0415 - keeps --help fast

            async for item in in_thread(inputs.read()):
                progress.update(task, advance=item.size)
                if item.request is None:
                    tally.refuse(item.where, item.error or "")
                elif refusal := await client.refusal(item.request):
                    tally.refuse(item.where, str(refusal))
                else:
                    yield item.request

        async with Client(settings) as client:
            async for _ticket in client.submit_all(requests(client)):
                tally.sent += 1
                progress.update(task, sent=tally.sent)
    return tally


def _progress() -> Progress:
    console = stderr()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[sent]} sent"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _summarize(tally: Tally, settings: Settings, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "topic": settings.request_topic,
                "sent": tally.sent,
                "unusable": tally.unusable,
                "errors": tally.errors,
                "seconds": round(seconds, 3),
            }
        )
        return
    refused = f"; {tally.unusable:,} not usable" if tally.unusable else ""
    print_line(f"{plural(tally.sent, 'proof')} sent to {settings.request_topic} in {seconds:.1f} s{refused}")
