"""Says how far a call of `verify` has come."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = bool | Callable[[int, int | None], object]
    """True to show a bar on stderr; or a function of how many are done and how many there are."""


@contextmanager
def progress_of(wanted: Progress, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show progress for the time of the context.

    Args:
        wanted: What the caller asked for.
        total: How many there are; None where that is not known.

    Yields:
        A function to call with how many are done.
    """
    if callable(wanted):
        told = wanted
        yield lambda done: told(done, total)
        return
    if not wanted:
        yield lambda _done: None
        return
    from rich.console import Console  # noqa: PLC0415 - only who wants a bar needs it
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above
    from rich.progress import Progress as Bar  # noqa: PLC0415 - as above

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("answered", total=total)
        yield lambda done: bar.update(task, completed=done)
