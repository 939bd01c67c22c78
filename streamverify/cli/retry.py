"""`streamverify retry`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.checks import Ids, Prefix, Run, Until  # noqa: TC001 - Typer reads the annotations
from streamverify.cli.interrupted import say_how_far
from streamverify.cli.options import BOTH, with_settings
from streamverify.cli.output import plural, print_json, print_line, remark, short
from streamverify.cli.times import milliseconds
from streamverify.core.messages.models import Reason  # noqa: TC001 - Typer reads the annotations
from streamverify.core.messages.selection import ResultSelection
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from typing import Any

    from streamverify.client.resend import ResendReport

EXAMPLES = """\
Examples
  streamverify retry --since 1h --dry-run
  streamverify retry --since 1h --reason out_of_memory --most 500
  streamverify retry --since 2026-01-31T08:00:00Z --run tuesday

The request of a retriable result is read from its topic, by the partition and
offset that the result has, and sent again as it was. Left out are requests
that were answered for good since, and those that were sent again
--max-retries times, which the Kafka header streamverify-retries counts. A
request that was sent again and still waits is sent once more by another
retry: let the workers finish before (streamverify offsets: to do 0).

Exit code 0: done. 3: some requests are no longer on their topic."""

_SHOWN = 10
_GONE = 3


@with_settings(*BOTH)
def retry(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Results since this time: RFC 3339, or a length of time such as 1h.")
    ],
    until: Until = None,
    ids: Ids = None,
    prefix: Prefix = "",
    reason: Annotated[list[Reason] | None, typer.Option(help="Only this reason; repeatable.")] = None,
    run: Run = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="Send at most N requests, the oldest first.")] = 10_000,
    max_retries: Annotated[
        int,
        typer.Option("--max-retries", min=1, metavar="N", help="Do not send a request that was sent again N times."),
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Send requests again whose newest result is retriable: the infrastructure failed, not the proof."""
    from streamverify.client import resend as client  # noqa: PLC0415 - keeps --help fast

    wanted = ResultSelection(
        ids=frozenset(ids or ()),
        prefix=prefix,
        reasons=frozenset(map(str, reason or ())),
        run=run,
        since=milliseconds(since) or 0,
        until=milliseconds(until, "--until"),
    )
    report = client.ResendReport()

    def so_far() -> str:
        return f"{plural(report.sent, 'request')} sent to {settings.request_topic} again" if report.sent else ""

    with say_how_far(so_far):
        asyncio.run(client.resend(settings, wanted, most=most, max_retries=max_retries, dry_run=dry_run, report=report))
    if as_json:
        print_json(summary(report, settings, dry_run=dry_run))
    else:
        _say(report, settings, max_retries, dry_run=dry_run)
    # Not an error of the command: what retention has deleted cannot be sent again, whatever is tried.
    if report.gone:
        raise typer.Exit(_GONE)


def summary(report: ResendReport, settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    """Make the line of JSON."""
    return {
        "topic": settings.request_topic,
        "dry_run": dry_run,
        "retriable": report.retriable,
        "answered": report.answered,
        "sent": report.sent,
        "reasons": dict(sorted(report.reasons.items())),
        "spent": report.spent,
        "elsewhere": report.elsewhere,
        "left": report.left,
        "gone": [
            {"custom_id": each.custom_id, "run": each.run, "source": each.source.model_dump()} for each in report.gone
        ],
    }


def _say(report: ResendReport, settings: Settings, max_retries: int, *, dry_run: bool) -> None:
    topic = settings.request_topic
    named = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report.reasons.items()))
    verb = "would be sent" if dry_run else "sent"
    print_line(f"{plural(report.sent, 'request')} {verb} to {topic} again{f' ({named})' if named else ''}")
    for count, why in (
        (report.answered, "answered for good since"),
        (report.spent, f"sent again {max_retries} times already (--max-retries)"),
        (report.elsewhere, f"from another topic than {topic} (--request-topic)"),
        (report.left, "left for the next time (--most)"),
    ):
        if count:
            print_line(f"{count:,} not sent: {why}")
    for gone in report.gone[:_SHOWN]:
        place = f"{gone.source.topic}:{gone.source.partition}:{gone.source.offset}"
        remark(f"{short(gone.custom_id)}: no longer on its topic ({place})", label="not sent", style="red")
    if len(report.gone) > _SHOWN:
        remark(f"{len(report.gone):,} in all are no longer on their topic (--json lists them)", label="not sent")
