"""`streamverify retry`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.checks import not_empty
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

A result is retriable where the infrastructure failed and not the proof. Its
request is read from its topic, where the result says that it lies, and sent
again as it was. Left out is what was answered for good since, and what was
sent again --max-retries times. The Kafka header streamverify-retries counts.
What was sent again and waits for its answer is sent once more by another
retry: let the workers finish first (streamverify offsets: to do 0).

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
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only results before this time.")] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", callback=not_empty, help="Only this custom_id; repeatable."),
    ] = None,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Only custom_ids that begin so.")] = "",
    reason: Annotated[list[Reason] | None, typer.Option(help="Only this reason; repeatable.")] = None,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", callback=not_empty, help="Only results of this run.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="Send at most so many, the oldest first.")] = 10_000,
    max_retries: Annotated[
        int, typer.Option("--max-retries", min=1, metavar="N", help="Leave out what was sent again so often.")
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Send again what no worker could decide: requests whose newest result is retriable."""
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
