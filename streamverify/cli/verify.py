"""`streamverify verify`."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from enum import Enum, auto
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.checks import Duration
from streamverify.cli.errors import InputError, ReaderGone
from streamverify.cli.input_options import COLUMNS_HELP, InputOptions, with_inputs
from streamverify.cli.interrupted import cancel_command, results_command, say_how_far
from streamverify.cli.options import BOTH, with_settings
from streamverify.cli.output import (
    error_line,
    flush,
    plural,
    print_line,
    print_result,
    remark,
    say_who_answered,
    short,
    stderr,
    stdout,
)
from streamverify.core.messages.models import Status
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from streamverify.cli.inputs import Inputs
    from streamverify.client import AsyncClient
    from streamverify.core.messages.models import ProofRequest, ProofResult

EXAMPLES = f"""\
Examples
  streamverify verify proof.lean
  streamverify verify Proofs/ --wait 600
  echo 'theorem t : 1 + 1 = 2 := rfl' | streamverify verify -
  streamverify verify proofs.jsonl --json      in the order of the input

A worker that reads the same topic must be running, on any machine.

{COLUMNS_HELP}

Exit code 0: all proofs were verified. 1: a proof was rejected. 3: none was
rejected, but one is inconclusive or has no answer yet. 2: all were verified,
but some of the input was no request."""

_AHEAD = 4000
"""Requests that are handed to the client and not printed yet: answers wait here for an earlier one, which may take its
time. So an input of any length fits into memory."""
_SHOWN = 5


@with_settings(*BOTH, "group_id", "max_proof_bytes")
@with_inputs
def verify(
    *,
    settings: Settings,
    given: InputOptions,
    wait: Annotated[float, Duration("Seconds to wait for all verdicts.")] = 300.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result as a line of JSON.")] = False,
) -> None:
    """Have proofs verified by a running worker, and show what Lean says with the source line that it means."""
    session = Session(settings, given.find(), wait, Printer(as_json=as_json))
    fetch = f"{results_command(given.run)}{cancel_command(given.run)}"
    try:
        with say_how_far(lambda: session.so_far(fetch)):
            asyncio.run(session.run())
    except ReaderGone:
        # Who reads the output has seen enough. The exit code still says what is known, and not that all is well.
        raise typer.Exit(session.exit_code()) from None
    raise typer.Exit(session.exit_code())


def exit_code(statuses: Mapping[Status, int], *, expected: int) -> int:
    """Choose the exit code: 1 if a proof was rejected, else 3 if not all were verified, else 0."""
    # A rejection is certain, whatever becomes of the others.
    if statuses.get(Status.REJECTED):
        return 1
    return 0 if statuses.get(Status.VERIFIED, 0) == expected else 3


class SessionPhase(Enum):
    """The phases of a run; `Session` has the diagram."""

    READING = auto()
    """Requests are sent while the input is read."""
    SENT = auto()
    """The input was read to its end: all that is left are answers."""
    OUT_OF_TIME = auto()
    """Requests have no answer, or a part of the input was not read."""


class Session:
    """One run of the command: hands requests to the client while it reads them, prints the answers, and counts.

    READING ── the end of the input ──> SENT ── the last answer ──> ended
    READING or SENT ── the time is up ──> OUT_OF_TIME ──> ended
    READING or SENT ── Ctrl-C, no broker, or nobody reads stdout any more ──> ended
    """

    def __init__(self, settings: Settings, inputs: Inputs, wait: float, printer: Printer) -> None:
        self._settings = settings
        self._inputs = inputs
        self._wait = wait
        self._printer = printer
        self._asked = 0
        self._unusable = 0
        self._phase = SessionPhase.READING
        self._printed = asyncio.Event()

    async def run(self) -> None:
        """Verify everything.

        Raises:
            InputError: There is no request in the input.
        """
        from streamverify.client import AsyncClient, Unanswered  # noqa: PLC0415 - keeps --help fast

        waiting = stderr().status("")
        looking = asyncio.create_task(self._look_for_a_worker())
        try:
            async with (
                AsyncClient(self._settings) as client,
                aclosing(client.verify_each(self._requests(client), self._wait)) as answers,
            ):
                with waiting:
                    async for answer in answers:
                        # The spinner occupies the line that is about to be printed.
                        waiting.stop()
                        self._printer.add(answer.index, answer.result)
                        self._printed.set()
                        waiting.update(f"waiting for {plural(self._asked - self._printer.statuses.total(), 'verdict')}")
                        waiting.start()
        except Unanswered as error:
            self._time_is_up(error.custom_ids)
        except asyncio.CancelledError:
            # Ctrl-C: what is said to be answered is printed, though an earlier one is not.
            self._printer.rest()
            raise
        finally:
            looking.cancel()
        if self._phase is SessionPhase.READING:
            # Everything that was sent is answered, but time was up before the input was read to its end.
            self._time_is_up(())
        if not self._asked and self._phase is SessionPhase.SENT:
            raise InputError("there is no proof to verify in the input")
        self._printer.close(self._asked)

    def exit_code(self) -> int:
        """Choose the exit code for what was found so far."""
        code = exit_code(self._printer.statuses, expected=self._asked)
        if code == 0 and self._phase is SessionPhase.OUT_OF_TIME:
            return 3
        return 2 if self._unusable and code == 0 else code

    def so_far(self, fetch: str) -> str:
        """Say how far it came."""
        if not self._asked:
            return ""
        answered = self._printer.statuses.total()
        return (
            f"{plural(self._asked, 'proof')} sent, {answered:,} answered; the other {self._asked - answered:,} stay on "
            f"{self._settings.request_topic} and get their verdicts, also without this command; {fetch}"
        )

    async def _requests(self, client: AsyncClient) -> AsyncIterator[ProofRequest]:
        """Read the input as fast as answers are printed."""
        from streamverify.threads import in_thread  # noqa: PLC0415 - keeps --help fast

        async for item in in_thread(self._inputs.read()):
            if item.request is None:
                self._unusable += 1
                remark(f"{item.where}: {item.error}", label="unusable", style="red")
                continue
            if refusal := await client.refusal(item.request):
                self._unusable += 1
                remark(f"{item.where}: {refusal}", label="unusable", style="red")
                continue
            while self._printer.waiting >= _AHEAD:
                self._printed.clear()
                await self._printed.wait()
            self._printer.expect(item.request)
            self._asked += 1
            yield item.request
        self._phase = SessionPhase.SENT

    async def _look_for_a_worker(self) -> None:
        """Say at once that nobody reads the topic. It is no error: a worker that comes later answers."""
        from streamverify.bus.group_members import has_member  # noqa: PLC0415 - keeps --help fast

        if await has_member(self._settings) is False:
            group, topic = self._settings.group_id, self._settings.request_topic
            remark(
                f"the group {group} has no member, so no worker reads {topic} now: start one with `streamverify "
                f"worker` (or name another group with --group-id); waiting up to {self._wait:g} s",
                label="warning",
            )

    def _time_is_up(self, custom_ids: Sequence[str]) -> None:
        """Print what is there, and say which requests have no verdict, or that the input was not read to its end."""
        cut_short = self._phase is SessionPhase.READING
        self._phase = SessionPhase.OUT_OF_TIME
        self._printer.rest()
        if not custom_ids:
            error_line(
                f"{plural(self._asked, 'proof')} sent within {self._wait:g} s, and the rest of the input was not read"
            )
            return
        named = ", ".join(repr(short(custom_id)) for custom_id in custom_ids[:_SHOWN])
        more = f" and {len(custom_ids) - _SHOWN:,} more" if len(custom_ids) > _SHOWN else ""
        error_line(
            f"{len(custom_ids):,} of {plural(self._asked, 'proof')} had no verdict within {self._wait:g} s "
            f"({named}{more}); is a worker running? They stay on the topic: a worker that comes later answers them."
            + (" The rest of the input was not sent." if cut_short else "")
        )


class Printer:
    """Prints results in the order of the requests, each as soon as those before it are out, and then forgets them."""

    def __init__(self, *, as_json: bool) -> None:
        self.statuses: Counter[Status] = Counter()
        self._as_json = as_json
        self._requests: dict[int, ProofRequest] = {}
        """The requests that were expected and have no printed answer, by their index."""
        self._expected = 0
        self._early: dict[int, ProofResult] = {}
        self._next = 0
        self._kinds: set[str] = set()
        self._console = stdout()

    @property
    def waiting(self) -> int:
        """The number of requests whose answers are not printed yet."""
        return len(self._requests)

    def expect(self, request: ProofRequest) -> None:
        """Take the next request of the input; the first has the index 0."""
        self._requests[self._expected] = request
        self._expected += 1

    def add(self, index: int, result: ProofResult) -> None:
        """Take the answer to the request of this index, and print what can be printed in order."""
        self.statuses[result.status] += 1
        self._kinds.add(result.verifier.kind)
        self._early[index] = result
        while self._next in self._early:
            self._print(self._next, self._early.pop(self._next))
            self._next += 1

    def rest(self) -> None:
        """Print the answers that wait for an earlier one, which does not come."""
        for index in sorted(self._early):
            self._print(index, self._early.pop(index))

    def close(self, asked: int) -> None:
        """Print what the verdicts are worth if no Lean gave them, and how many there are of each status."""
        say_who_answered(self._kinds)
        if not self._as_json and asked > 1:
            counts = ", ".join(f"{self.statuses[status]:,} {status}" for status in Status)
            print_line(f"{plural(asked, 'proof')}: {counts}")

    def _print(self, index: int, result: ProofResult) -> None:
        from streamverify.cli.render import report  # noqa: PLC0415 - keeps --help fast

        request = self._requests.pop(index)
        if self._as_json:
            print_result(result)
            flush()
            return
        for line in report(result, request.proof):
            self._console.print(line, soft_wrap=True)
