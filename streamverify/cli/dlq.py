"""`streamverify dlq list`, `streamverify dlq show` and `streamverify dlq replay`."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from streamverify.cli.errors import InputError
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import one_line, plural, print_json, print_line, printable, remark, stdout
from streamverify.cli.results import parse_since
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.client.dead_letters import Filter, Letter, ReplayReport, Selection

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
_SHOWN_VALUE = 4_000
_MESSAGE = 200

_Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Take only requests sent since this time: RFC 3339, or a length of time such as 10m."
    ),
]
_Stage = Annotated[
    Literal["decode", "route", "verify"] | None,
    typer.Option(help="Take only letters of this stage."),
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
def list_letters(
    *,
    settings: Settings,
    stage: _Stage = None,
    since: _Since = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each letter as a line of JSON.")] = False,
) -> None:
    """List the dead letters: which records failed, at which stage, and why. Joins no consumer group."""
    wanted = _filter(since, stage)
    letters = asyncio.run(_letters(settings, wanted))
    if as_json:
        for letter in letters:
            print_json(summary(letter))
    elif not letters:
        remark(f"no dead letters on {settings.dlq_topic}" + (" of this stage and time" if stage or since else ""))
    else:
        stdout().print(_table(letters))
        print_line(plural(len(letters), "dead letter"))


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
        _show(letter)


@with_settings(*CONNECTION, "dlq_topic", "request_topic")
def replay(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARTITION:OFFSET]...", help="The letters; a range is written 0:20-25."),
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
    if bool(names) == everything:
        raise InputError("name the letters to replay (0:17, 0:20-25), or give --all")
    selected = {name: parse_selection(name) for name in names or ()}
    wanted = _filter(since, stage, list(selected.values()))
    report = asyncio.run(_replay(settings, wanted, limit, dry_run=dry_run))
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


def _filter(since: str | None, stage: str | None, selected: Sequence[Selection] = ()) -> Filter:
    from streamverify.client.dead_letters import Filter  # noqa: PLC0415 - keeps --help fast

    return Filter(0 if since is None else max(0, int(parse_since(since).timestamp() * 1000)), stage, selected)


async def _letters(settings: Settings, wanted: Filter) -> list[Letter]:
    from streamverify.client.dead_letter_topic import DeadLetters  # noqa: PLC0415 - keeps --help fast

    async with DeadLetters(settings) as letters:
        return [letter async for letter in letters.read(wanted.since) if wanted.takes(letter)]


async def _one(settings: Settings, name: str) -> Letter:
    from streamverify.client.dead_letter_topic import DeadLetters  # noqa: PLC0415 - keeps --help fast
    from streamverify.client.dead_letters import Letter  # noqa: PLC0415 - keeps --help fast

    selection = parse_selection(name)
    if selection.last != selection.first:
        raise InputError(f"{name}: show takes one letter, PARTITION:OFFSET")
    async with DeadLetters(settings) as letters:
        record = await letters.fetch(settings.dlq_topic, selection.partition, selection.first)
    if record is None:
        raise InputError(f"there is no letter {name} on {settings.dlq_topic}: see `streamverify dlq list`")
    return Letter.of(record)


# --- showing ------------------------------------------------------------------------------------------------------


def summary(letter: Letter) -> dict[str, Any]:
    """Make the line of JSON for a letter: everything but the request and the stack trace."""
    said: dict[str, Any] = {
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp,
        "error": letter.error or None,
    }
    content = letter.content
    if content is None:
        return said
    return said | {
        "stage": content.stage,
        "exception_class": content.exception_class,
        "message": content.message,
        "attempts": content.attempts,
        "replays": letter.replays,
        "group": content.group,
        "source": content.source.model_dump(),
        "custom_id": custom_id(content.value),
        "value_bytes": None if content.value is None else len(content.value),
    }


def details(letter: Letter) -> dict[str, Any]:
    """Take the parts that `summary` leaves out. Bytes that are not UTF-8 become {"base64": …}."""
    content = letter.content
    if content is None:
        return {}
    return {
        "key": _text(content.key),
        "headers": [[name, _text(value)] for name, value in content.kafka_headers],
        "value": _text(content.value),
        "stack_trace": content.stack_trace,
    }


def custom_id(value: bytes | None) -> str | None:
    """Read the custom_id of a request; None if it cannot be read."""
    try:
        found = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    name = found.get("custom_id") if isinstance(found, dict) else None
    return str(name) if isinstance(name, str | int) else None


def _text(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}


def _table(letters: list[Letter]) -> Table:
    table = Table(
        "letter", "sent", "stage", "from", "attempts", "replays", "id", "what was wrong", box=None, pad_edge=False
    )
    for letter in letters:
        name, content = f"{letter.partition}:{letter.offset}", letter.content
        if content is None:
            table.add_row(
                name, _moment(letter.timestamp), "?", "", "", "", "", escape(one_line(letter.error, _MESSAGE))
            )
            continue
        source = f"{content.source.topic}:{content.source.partition}:{content.source.offset}"
        table.add_row(
            name,
            _moment(letter.timestamp),
            escape(one_line(content.stage, 10)),
            escape(one_line(source, 60)),
            str(content.attempts),
            str(letter.replays),
            escape(one_line(custom_id(content.value) or "", 32)),
            escape(one_line(content.message, _MESSAGE)),
        )
    return table


def _moment(timestamp: int) -> str:
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "?"


def _show(letter: Letter) -> None:
    content = letter.content
    if content is None:
        remark(letter.error)
        return
    source = content.source
    for name, text in (
        ("letter", f"{letter.partition}:{letter.offset}"),
        ("request", f"{source.topic}:{source.partition}:{source.offset}, sent {_moment(source.timestamp)}"),
        (
            "stage",
            f"{content.stage}, given up by the group {content.group} after {plural(content.attempts, 'attempt')}",
        ),
        ("replays", str(letter.replays)),
        ("error", f"{content.exception_class}: {content.message}"),
        ("key", _shown(content.key)),
        *((f"header {name}", _shown(value)) for name, value in content.kafka_headers),
    ):
        print_line(printable(f"{name:10} {text}"))
    print_line("\n" + printable(content.stack_trace.rstrip()))
    print_line("\n" + _shown(content.value))


def _shown(value: bytes | None) -> str:
    """Show bytes as text if they are text, cut to a length that a person reads."""
    if value is None:
        return "(null)"
    if not value:
        return "(empty)"
    rest = f"\n({len(value):,} bytes; --json has all of them)" if len(value) > _SHOWN_VALUE else ""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return f"{value[: _SHOWN_VALUE // 4]!r}{rest}"
    return printable(value[:_SHOWN_VALUE].decode("utf-8", "ignore")) + rest


# --- replaying ----------------------------------------------------------------------------------------------------


async def _replay(settings: Settings, wanted: Filter, max_replays: int, *, dry_run: bool) -> ReplayReport:
    from streamverify.client import dead_letters  # noqa: PLC0415 - keeps --help fast
    from streamverify.client.dead_letter_topic import DeadLetters  # noqa: PLC0415 - keeps --help fast

    async with DeadLetters(settings) as letters:
        return await dead_letters.replay(
            letters, wanted, settings.request_topic, max_replays=max_replays, dry_run=dry_run
        )


def _print_report(report: ReplayReport, settings: Settings, *, dry_run: bool) -> None:
    """Print what was sent, or would be, and how to go on with later letters."""
    if dry_run:
        for letter in report.sent:
            what = custom_id(letter.content.value) if letter.content else None
            print_line(printable(f"would send {letter.partition}:{letter.offset} {what or ''}".rstrip()))
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
