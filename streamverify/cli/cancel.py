"""`streamverify cancel`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamverify.cli.checks import not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.interrupted import say_how_far
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import in_a_line, plural, print_json, print_line, remark
from streamverify.core.groups.cancellation import Names
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.client.cancellation import Cancelled

EXAMPLES = """\
Examples
  streamverify cancel --run tuesday --dry-run
  streamverify cancel --run tuesday
  streamverify cancel --group p17 --run tuesday
  streamverify cancel --id a17 --id a18
  streamverify cancel --run tuesday --api-key alice  (NAME of API_KEYS)

Requests that match and wait on the topic now are answered `inconclusive`,
reason `superseded`, without being run; those that no worker has read yet are
answered when one reads them. A request matches if it meets each condition
that is given; of several --id it need have only one. A proof that runs now is
finished, unless that takes longer than starting its REPL again. Requests that
are sent later under the same name are run, so stop their sender first. A
cancellation cannot be taken back: send again what you want verified.

The command returns when the broker has the cancellation, and does not wait
for workers: streamverify offsets shows how far they are. See docs/cancel.md."""


@with_settings(*CONNECTION, "group_id", "request_topic", "ingest_topic", "groups_topic")
def cancel(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", callback=not_empty, help="Requests with this custom_id; repeatable."),
    ] = None,
    run: Annotated[str | None, typer.Option(metavar="NAME", callback=not_empty, help="Requests of this run.")] = None,
    group: Annotated[
        str | None, typer.Option(metavar="NAME", callback=not_empty, help="Attempts of this group (not --group-id).")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(metavar="NAME", callback=not_empty, help="Only what was sent to a gateway with this API key."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the waiting requests that match, and cancel nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Cancel waiting requests of a run, a group or some ids: they are answered as superseded, without being run."""
    from streamverify.bus.group_members import has_member  # noqa: PLC0415 - keeps --help fast
    from streamverify.client.cancellation import cancel as announce  # noqa: PLC0415

    async def work() -> tuple[Cancelled, bool | None]:
        # A group without a worker is asked for afterwards: workers that come later read the cancellation, too.
        return await announce(settings, names, dry_run=dry_run), await has_member(settings)

    names = Names(run, group, frozenset(ids or ()), api_key)
    if not names:
        raise InputError("say what to cancel: --run, --group, --id or --api-key")
    with say_how_far(lambda: "", "it is not certain that anything was cancelled: run the same command again"):
        done, has_workers = asyncio.run(work())
    if as_json:
        print_json(_summary(done, dry_run=dry_run))
    else:
        _say(done, dry_run=dry_run)
    if has_workers is False and not dry_run:
        remark(
            f"the group {settings.group_id} has no member now: workers that start within 8 days answer what was "
            "cancelled (or name another group with --group-id)"
        )
    if done.not_forwarded:
        remark(
            f"the router has not forwarded {plural(done.not_forwarded, 'record')} of {settings.ingest_topic} yet; if "
            "yours are among them, they are not cancelled: run the same command again when it has"
        )


def _summary(done: Cancelled, *, dry_run: bool) -> dict[str, Any]:
    """Make the line of JSON."""
    names = done.names
    return {
        "topic": done.topic,
        "group_id": done.consumer_group,
        "dry_run": dry_run,
        "run": names.run,
        "group": names.group,
        "ids": sorted(names.ids),
        "api_key": names.api_key,
        "at": done.at.isoformat().replace("+00:00", "Z"),
        "waiting": done.waiting,
        "matching": done.matching,
        "not_forwarded": done.not_forwarded,
    }


def _say(done: Cancelled, *, dry_run: bool) -> None:
    what = in_a_line(str(done.names))
    if dry_run:
        of = "" if done.waiting is None else f" of the {done.waiting:,}"
        print_line(
            f"{done.matching or 0:,}{of} requests that wait on {done.topic} would be cancelled ({what}); "
            "those of them that run now are finished"
        )
    elif done.waiting is None:
        print_line(f"cancelled: {what}; how much waits on {done.topic} is not known: may this user describe the group?")
    else:
        print_line(
            f"cancelled: {what}; this concerns at most {plural(done.waiting, 'request')} of {done.topic}: so many of "
            "any name have no answer yet"
        )
