"""The flags by which a command selects results, or other records, by id, run, time and outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from streamverify.cli.checks import Ids, Prefix, Run, Until  # noqa: TC001 - Typer reads the annotations
from streamverify.cli.options import with_flags
from streamverify.cli.times import milliseconds
from streamverify.core.messages.models import Reason, Status  # noqa: TC001 - Typer reads the annotations
from streamverify.core.messages.selection import ResultSelection


@dataclass(frozen=True, kw_only=True)
class SelectionFlags:
    """The results that the command line selects. A field is a flag; it has that flag's default."""

    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only results since this time: RFC 3339, or a length of time such as 10m."),
    ] = None
    until: Until = None
    ids: Ids = None
    prefix: Prefix = ""
    status: Annotated[list[Status] | None, typer.Option(help="Only this status; repeatable.")] = None
    reason: Annotated[list[Reason] | None, typer.Option(help="Only this reason; repeatable.")] = None
    run: Run = None

    def selection(self) -> ResultSelection:
        """Make the conditions.

        Raises:
            InputError: A time cannot be read.
        """
        return ResultSelection(
            ids=frozenset(self.ids or ()),
            prefix=self.prefix,
            statuses=frozenset(map(str, self.status or ())),
            reasons=frozenset(map(str, self.reason or ())),
            run=self.run,
            since=milliseconds(self.since) or 0,
            until=milliseconds(self.until, "--until"),
        )


with_selection = with_flags(SelectionFlags)
"""Give a command these flags; it gets them as its argument `given`."""
