"""`streamverify delete`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamverify.cli.checks import not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.interrupted import say_how_far
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import plural, print_json, print_line, remark
from streamverify.cli.times import milliseconds
from streamverify.core.messages.selection import ResultSelection
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.client.deletion import Deletion

EXAMPLES = """\
Examples
  streamverify delete --prefix alice/ --dry-run
  streamverify delete --id a17 --id a18
  streamverify delete --run tuesday
  streamverify delete --api-key alice          (NAME of API_KEYS, not the key)
  streamverify delete --requests-before 2026-01-31T08:00:00Z

Results are deleted by their id: a tombstone is written for each that exists,
and compaction removes its bytes. The results table drops the row at once.
Requests have other keys, so they can be deleted by age alone, whoever sent
them: --requests-before deletes those (and dead letters) that are older and
finished. docs/deletion.md says what is kept where, and when bytes are gone.
It is safe to repeat: after Ctrl-C run the same command again."""

_SETTINGS = (*CONNECTION, "group_id", "request_topic", "ingest_topic", "dlq_topic", "result_topic")


@with_settings(*_SETTINGS)
def delete(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", callback=not_empty, help="The result of this custom_id; repeatable."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", callback=not_empty, help="The results of custom_ids that begin so."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(metavar="NAME", callback=not_empty, help="The results of ids whose newest result is of this run."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", callback=not_empty, help="The results of what was sent to a gateway with this API key."
        ),
    ] = None,
    requests_before: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="All finished requests, and dead letters, from before this time (RFC 3339, or a length of time).",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Delete results by id, prefix, run or API key, and requests by age. It cannot be undone."""
    from streamverify.client import deletion  # noqa: PLC0415 - keeps --help fast

    by_id = bool(ids or prefix or run or api_key)
    before = milliseconds(requests_before, "--requests-before")
    if not by_id and before is None:
        raise InputError("say what to delete: --id, --prefix, --run, --api-key or --requests-before")
    wanted = ResultSelection(ids=frozenset(ids or ()), prefix=prefix or "", run=run)
    progress = deletion.Deletion()

    async def work() -> None:
        if by_id:
            await deletion.delete_results(settings, wanted, dry_run=dry_run, progress=progress, api_key=api_key)
        if before is not None:
            await deletion.delete_requests(settings, before, dry_run=dry_run, progress=progress)

    def so_far() -> str:
        return f"{progress.deleted:,} of {plural(progress.found, 'result')} deleted" if progress.deleted else ""

    with say_how_far(so_far, "nothing was deleted"):
        asyncio.run(work())
    if as_json:
        print_json(_summary(progress, settings, dry_run=dry_run))
    else:
        _say(progress, settings, by_id=by_id, dry_run=dry_run)


def _summary(progress: Deletion, settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    """Make the line of JSON."""
    return {
        "topic": settings.result_topic,
        "dry_run": dry_run,
        "results": progress.found if dry_run else progress.deleted,
        "requests": {
            topic: {"deleted": count, "kept": progress.kept[topic]} for topic, count in progress.records.items()
        },
    }


def _say(progress: Deletion, settings: Settings, *, by_id: bool, dry_run: bool) -> None:
    verb = "would be deleted" if dry_run else "deleted"
    if by_id:
        count = progress.found if dry_run else progress.deleted
        print_line(f"{plural(count, 'result')} {verb} on {settings.result_topic}")
    for topic, count in progress.records.items():
        kept = progress.kept[topic]
        later = f"; {kept:,} of that age are kept, because the group has not finished them" if kept else ""
        print_line(f"{plural(count, 'record')} {verb} on {topic}{later}")
    if by_id and not dry_run and progress.deleted:
        remark(
            "the bytes of these results are removed when the topic is compacted; requests, dead letters and copies "
            "elsewhere are not deleted by this (docs/deletion.md)",
            label="note",
        )
