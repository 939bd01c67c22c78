"""`streamverify produce`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from streamverify.cli.input_options import COLUMNS_HELP, InputOptions, with_inputs
from streamverify.cli.interrupted import results_command, say_how_far
from streamverify.cli.options import REQUESTS, with_settings
from streamverify.cli.output import plural, print_json, print_line, remark
from streamverify.cli.progress import progress_bar
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.cli.inputs import Inputs
    from streamverify.client import AsyncClient
    from streamverify.core.messages.models import ProofRequest

EXAMPLES = f"""\
Examples
  streamverify produce proofs.jsonl --timeout 30 --run tuesday
  streamverify produce Proofs/ more/*.lean
  zcat proofs.jsonl.gz | streamverify produce - --json

{COLUMNS_HELP}

A line that is no request is reported as file:line and skipped; the others are
sent, and the exit code is 2. Read the verdicts with `streamverify results`."""

_SHOWN_ERRORS = 20


@dataclass(slots=True)
class SendTally:
    """Counts the proofs that were read and sent, and the items that could not be."""

    read: int = 0
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
@with_inputs
def produce(
    *,
    settings: Settings,
    given: InputOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
) -> None:
    """Write proofs to the request topic. Ends when the broker has them, and does not wait for verdicts."""
    inputs = given.find()
    start = time.monotonic()
    tally = SendTally()
    fetch = results_command(given.run)

    def so_far() -> str:
        if not tally.read:
            return ""
        # Read and handed to the producer, but not acknowledged: the broker may have it or not.
        waiting = tally.read - tally.sent
        unsure = f", and {waiting:,} more may be" if waiting else ""
        return (
            f"{plural(tally.sent, 'proof')} sent to {settings.request_topic}{unsure}: what is there stays there and "
            f"gets its verdict; {fetch}"
        )

    with say_how_far(so_far):
        asyncio.run(_produce(settings, inputs, tally))
    _summarize(tally, settings, time.monotonic() - start, as_json=as_json)
    if tally.unusable:
        raise typer.Exit(2)


async def _produce(settings: Settings, inputs: Inputs, tally: SendTally) -> None:
    from streamverify.client import AsyncClient  # noqa: PLC0415 - keeps --help fast

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with progress_bar(*columns, TextColumn("{task.fields[sent]} sent"), TimeElapsedColumn()) as progress:
        task = progress.add_task("sending", total=inputs.total, sent=0)

        async def requests(client: AsyncClient) -> AsyncIterator[ProofRequest]:
            from streamverify.threads import in_thread  # noqa: PLC0415 - keeps --help fast

            async for item in in_thread(inputs.read()):
                progress.update(task, advance=item.size)
                if item.request is None:
                    tally.refuse(item.where, item.error or "")
                elif refusal := await client.refusal(item.request):
                    tally.refuse(item.where, str(refusal))
                else:
                    tally.read += 1
                    yield item.request

        async with AsyncClient(settings) as client:
            async for _ticket in client.submit_all(requests(client)):
                tally.sent += 1
                progress.update(task, sent=tally.sent)


def _summarize(tally: SendTally, settings: Settings, seconds: float, *, as_json: bool) -> None:
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
