"""`streamverify verify`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamverify.cli.errors import InputError
from streamverify.cli.options import BOTH, with_settings
from streamverify.cli.output import error_line, plural, print_line, print_result, remark, stderr, stdout
from streamverify.core.messages.models import Status
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.client import Client
    from streamverify.core.messages.models import ProofRequest, ProofResult

EXAMPLES = """\
Examples
  streamverify verify proof.lean
  streamverify verify Proofs/ --wait 600
  echo 'theorem t : 1 + 1 = 2 := rfl' | streamverify verify -
  streamverify verify proofs.jsonl --json      in the order of the input

A worker that reads the same topic must be running, on any machine.

Exit code 0: all proofs were verified. 1: a proof was rejected. 3: none was
rejected, but one is inconclusive or has no answer yet. 2: all were verified,
but some of the input was no request."""

_NO_LEAN = {
    "replay": "the replay REPL answered, from recordings of a real Lean; nothing was checked now",
    "synthetic": "the synthetic REPL answered, which checks nothing: these are no verdicts of Lean",
}


@with_settings(*BOTH, "max_proof_bytes")
def verify(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help=".lean files, JSONL, folders; - is stdin.")],
    timeout: Annotated[float | None, typer.Option(help="Seconds that Lean may run on each proof.")] = None,
    require: Annotated[
        Literal["checked", "audited"] | None, typer.Option(help="Assurance that a proof needs to be verified.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for all verdicts.")] = 300.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result as a line of JSON.")] = False,
) -> None:
    """Have proofs verified by a running worker, and show what Lean says with the source line that it means."""
    requests, unusable = _read(files, timeout, require)
    statuses, too_large = asyncio.run(_verify(settings, requests, wait, as_json=as_json))
    code = exit_code(statuses, expected=len(requests) - too_large)
    raise typer.Exit(2 if (unusable or too_large) and code == 0 else code)


def exit_code(statuses: Iterable[Status], *, expected: int) -> int:
    """Choose the exit code: 1 if a proof was rejected, else 3 if not all were verified, else 0."""
    seen = list(statuses)
    if Status.REJECTED in seen:
        return 1
    return 0 if seen.count(Status.VERIFIED) == expected else 3


def _read(
    files: list[str], timeout: float | None, require: Literal["checked", "audited"] | None
) -> tuple[list[ProofRequest], int]:
    """Read the requests, and report the items that are none.

    Returns:
        The requests, and the number of unusable items.
    """
    from streamverify.cli.inputs import Inputs, Overrides  # noqa: PLC0415 - keeps --help fast

    items = list(Inputs.find(files, Overrides(timeout, require)).read())
    unusable = [item for item in items if item.request is None]
    for item in unusable:
        remark(f"{item.where}: {item.error}", label="unusable", style="red")
    requests = [item.request for item in items if item.request is not None]
    if not requests:
        raise InputError("there is no proof to verify in the input")
    return requests, len(unusable)


async def _verify(
    settings: Settings, requests: list[ProofRequest], wait: float, *, as_json: bool
) -> tuple[list[Status], int]:
    """Send the requests and print the answers.

    Returns:
        The statuses of the answers, and the number of requests that are too large to be sent.
    """
    from streamverify.client import Client, Unanswered  # noqa: PLC0415 - keeps --help fast

    waiting = stderr().status("")
    async with Client(settings) as client:
        sendable = await _sendable(client, requests)
        printer = Printer(sendable, as_json=as_json)
        try:
            async with aclosing(client.verify_each(sendable, wait)) as answers:
                with waiting:
                    waiting.update(f"waiting for {plural(len(sendable), 'verdict')}")
                    async for answer in answers:
                        # The spinner occupies the line that is about to be printed.
                        waiting.stop()
                        printer.add(answer.index, answer.result)
                        waiting.update(f"waiting for {plural(len(sendable) - len(printer.statuses), 'verdict')}")
                        waiting.start()
        except Unanswered as error:
            printer.rest()
            error_line(str(error))
    printer.close()
    return printer.statuses, len(requests) - len(sendable)


async def _sendable(client: Client, requests: list[ProofRequest]) -> list[ProofRequest]:
    """Report the requests that are too large for the topic, and keep the others.

    Raises:
        InputError: All are too large.
    """
    fitting = []
    for request in requests:
        if refusal := await client.refusal(request):
            remark(str(refusal), label="unusable", style="red")
        else:
            fitting.append(request)
    if not fitting:
        raise InputError("there is no proof in the input that can be sent")
    return fitting


class Printer:
    """Prints results in the order of the requests, each as soon as those before it are out."""

    def __init__(self, requests: list[ProofRequest], *, as_json: bool) -> None:
        self.statuses: list[Status] = []
        self._requests = requests
        self._as_json = as_json
        self._early: dict[int, ProofResult] = {}
        self._next = 0
        self._kinds: set[str] = set()
        self._console = stdout()

    def add(self, index: int, result: ProofResult) -> None:
        """Take the answer to the request of this index, and print what can be printed in order."""
        self.statuses.append(result.status)
        self._kinds.add(result.verifier.kind)
        self._early[index] = result
        while self._next in self._early:
            self._print(self._next, self._early.pop(self._next))
            self._next += 1

    def rest(self) -> None:
        """Print the answers that wait for an earlier one, which does not come."""
        for index in sorted(self._early):
            self._print(index, self._early.pop(index))

    def close(self) -> None:
        """Print what the verdicts are worth if no Lean gave them, and how many there are of each status."""
        for kind in sorted(self._kinds & _NO_LEAN.keys()):
            remark(_NO_LEAN[kind])
        if not self._as_json and len(self._requests) > 1:
            counts = ", ".join(f"{self.statuses.count(status):,} {status}" for status in Status)
            print_line(f"{plural(len(self._requests), 'proof')}: {counts}")

    def _print(self, index: int, result: ProofResult) -> None:
        from streamverify.cli.render import report  # noqa: PLC0415 - keeps --help fast

        if self._as_json:
            print_result(result)
            return
        for line in report(result, self._requests[index].proof):
            self._console.print(line, soft_wrap=True)
