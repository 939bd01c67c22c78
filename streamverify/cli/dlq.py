"""`streamverify dlq list`, `streamverify dlq show` and `streamverify dlq replay`."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamverify.cli.checks import Ids, Prefix, not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.interrupted import say_how_far
from streamverify.cli.letters import (
    CsvLetters,
    JsonLetters,
    LetterSink,
    LetterTable,
    details,
    show_letter,
    summary,
)
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import plural, print_json, print_line, printable, remark, short
from streamverify.cli.times import milliseconds
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.client.dead_letter_replay import ReplayReport
    from streamverify.client.dead_letters import Filter, Letter, Selection

EXAMPLES = """\
Examples
  streamverify dlq list --stage verify --since 1h
  streamverify dlq show 0:17                 partition:offset, as in the list
  streamverify dlq replay 0:17 0:20-25       these letters
  streamverify dlq replay 0:40-              this letter and all after it
  streamverify dlq replay --all --stage decode --dry-run

A dead letter is a record without a readable custom_id (stage decode), one
that the router could not forward (route), or a proof that kept crashing its
worker (verify).
Replay sends it to the request topic again as it was, and counts that in the
Kafka header streamverify-replays. The letter stays on its topic, so a second
replay sends it again.

Exit code 0: done. 2: a letter does not exist, or was not sent."""

_SELECTION = re.compile(r"(?:([0-9]{1,9}):)?([0-9]{1,18})(?:(-)([0-9]{0,18}))?")
"""Numbers with more digits are no partition and no offset of Kafka's."""

_Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Take only requests sent since this time: RFC 3339, or a length of time such as 10m."
    ),
]
_Stage = Annotated[
    Literal["decode", "route", "verify"] | None,
    typer.Option(help="Take only letters of this stage: decode, route or verify."),
]


def parse_selection(text: str) -> Selection:
    """Read `PARTITION:OFFSET`, `PARTITION:FROM-TO` or `PARTITION:FROM-`; the default partition is 0.

    Raises:
        InputError: The text is none of these.
    """
    from streamverify.client.dead_letters import Selection  # noqa: PLC0415 - keeps --help fast

    found = _SELECTION.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text[:80]!r} names no dead letter: give PARTITION:OFFSET, or a range such as 0:20-25 or 0:20-"
        )
    first = int(found[2])
    last = first if found[3] is None else int(found[4]) if found[4] else None
    return Selection(int(found[1] or 0), first, last)


@with_settings(*CONNECTION, "dlq_topic")
def list_letters(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    stage: _Stage = None,
    since: _Since = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Take only requests sent before this time.")] = None,
    ids: Ids = None,
    prefix: Prefix = "",
    run: Annotated[
        str | None, typer.Option(metavar="NAME", callback=not_empty, help="Only requests of this run.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after N letters.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each letter as a line of JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the letters as CSV.")] = False,
) -> None:
    """List the dead letters: which records failed, at which stage, and why. Joins no consumer group."""
    from streamverify.client.dead_letters import Filter  # noqa: PLC0415 - keeps --help fast

    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other")
    wanted = Filter(
        milliseconds(since) or 0, stage, (), milliseconds(until, "--until"), frozenset(ids or ()), prefix, run
    )
    sink: LetterSink = JsonLetters() if as_json else CsvLetters() if as_csv else LetterTable()
    count = asyncio.run(_list(settings, wanted, sink, limit))
    if not as_json and not as_csv:
        if count:
            print_line(plural(count, "dead letter"))
        else:
            remark(f"no dead letters on {settings.dlq_topic}" + ("" if wanted == Filter() else " that are asked for"))


@with_settings(*CONNECTION, "dlq_topic")
def show(
    *,
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="The letter, named as in `dlq list`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole letter as one line of JSON.")] = False,
) -> None:
    """Show one dead letter: its Kafka headers, the stack trace, and the request as it was sent."""
    letter = asyncio.run(_one(settings, name))
    if as_json:
        print_json(summary(letter) | details(letter))
    else:
        show_letter(letter)


@with_settings(*CONNECTION, "dlq_topic", "request_topic")
def replay(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PARTITION:OFFSET", help="The letters; a range is written 0:20-25."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Replay every letter, or those that --stage and --since choose.")
    ] = False,
    stage: _Stage = None,
    since: _Since = None,
    limit: Annotated[
        int, typer.Option("--max-replays", min=1, help="Do not send a letter that was replayed this many times.")
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Send dead letters to the request topic again, as they were first sent."""
    from streamverify.client.dead_letter_replay import ReplayReport  # noqa: PLC0415 - keeps --help fast
    from streamverify.client.dead_letters import Filter  # noqa: PLC0415 - keeps --help fast

    if bool(names) == everything:
        raise InputError("name the letters to replay (0:17, 0:20-25), or give --all")
    selected = {name: parse_selection(name) for name in names or ()}
    wanted = Filter(milliseconds(since) or 0, stage, list(selected.values()))
    report = ReplayReport()

    def so_far() -> str:
        if dry_run or not report.sent:
            return ""
        last = report.sent[-1]
        return (
            f"{plural(len(report.sent), 'letter')} handed to {settings.request_topic}, the last one "
            f"{last.partition}:{last.offset}; all stay on {settings.dlq_topic}"
        )

    with say_how_far(so_far):
        asyncio.run(_replay(settings, wanted, limit, report, dry_run=dry_run))
    unknown = [name for name, selection in selected.items() if not any(map(selection.has, report.found))]
    if as_json:
        skipped = [
            {"letter": f"{letter.partition}:{letter.offset}", "reason": reason} for letter, reason in report.skipped
        ]
        print_json(
            {
                "topic": settings.request_topic,
                "dry_run": dry_run,
                "sent": len(report.sent),
                "letters": [f"{letter.partition}:{letter.offset}" for letter in report.sent],
                "skipped": skipped,
                "unknown": unknown,
            }
        )
    else:
        _print_report(report, settings, dry_run=dry_run)
    for name in unknown:
        remark(f"{name}: no such letter on {settings.dlq_topic}", label="not sent", style="red")
    if report.skipped or unknown:
        raise typer.Exit(InputError.exit_code)


# --- reading ------------------------------------------------------------------------------------------------------


async def _list(settings: Settings, wanted: Filter, sink: LetterSink, limit: int | None) -> int:
    """Print the letters as they are read, and keep none. Returns how many there were."""
    from streamverify.client.dead_letter_topic import DeadLetters  # noqa: PLC0415 - keeps --help fast

    count = 0
    async with aclosing(DeadLetters(settings).read(wanted.since)) as read:
        async for letter in read:
            if wanted.takes(letter):
                sink.add(letter)
                count += 1
                if count == limit:
                    break
    return count


async def _one(settings: Settings, name: str) -> Letter:
    from streamverify.client.dead_letter_topic import DeadLetters  # noqa: PLC0415 - keeps --help fast
    from streamverify.client.dead_letters import Letter  # noqa: PLC0415 - keeps --help fast

    selection = parse_selection(name)
    if selection.last != selection.first:
        raise InputError(f"{name}: show takes one letter, PARTITION:OFFSET")
    record = await DeadLetters(settings).fetch(settings.dlq_topic, selection.partition, selection.first)
    if record is None:
        raise InputError(f"there is no letter {name} on {settings.dlq_topic}: see `streamverify dlq list`")
    return Letter.of(record)


# --- replaying ----------------------------------------------------------------------------------------------------


async def _replay(settings: Settings, wanted: Filter, max_replays: int, report: ReplayReport, *, dry_run: bool) -> None:
    from streamverify.client.dead_letter_replay import replay  # noqa: PLC0415 - keeps --help fast
    from streamverify.client.dead_letter_topic import DeadLetters  # noqa: PLC0415 - keeps --help fast

    letters = DeadLetters(settings)
    await replay(letters, wanted, settings.request_topic, max_replays=max_replays, dry_run=dry_run, report=report)


def _print_report(report: ReplayReport, settings: Settings, *, dry_run: bool) -> None:
    """Print what was sent, or would be, and how to go on with later letters."""
    if dry_run:
        for letter in report.sent:
            what = letter.custom_id
            print_line(printable(f"would send {letter.partition}:{letter.offset} {short(what or '')}".rstrip()))
    for letter, reason in report.skipped:
        remark(f"{letter.partition}:{letter.offset}: {reason}", label="not sent", style="red")
    verb = "would be sent" if dry_run else "sent"
    print_line(f"{plural(len(report.sent), 'letter')} {verb} to {settings.request_topic} again")
    if report.sent and not dry_run:
        last: dict[int, int] = {}
        for letter in report.found:
            last[letter.partition] = max(letter.offset + 1, last.get(letter.partition, 0))
        later = " ".join(f"{partition}:{offset}-" for partition, offset in sorted(last.items()))
        print_line(f"They stay on {settings.dlq_topic}. To replay only later letters: streamverify dlq replay {later}")
