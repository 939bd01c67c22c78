"""What a command that is ended early says: how far it came, and how to go on from there."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING

from streamverify.cli.errors import ReaderGone
from streamverify.cli.output import remark
from streamverify.core.errors import StreamVerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def say_how_far(so_far: Callable[[], str], nothing: str = "nothing was sent") -> Iterator[None]:
    """Run the block. If Ctrl-C or an error ends it, say on stderr how far it came.

    Args:
        so_far: Words it; "" where nothing was done that an error would leave unsaid.
        nothing: What Ctrl-C says instead of "".
    """
    try:
        yield
    except KeyboardInterrupt:
        remark(so_far() or nothing, label="interrupted")
        raise
    except ReaderGone:
        raise  # who has closed the pipe knows
    except StreamVerifyError:
        if said := so_far():
            remark(said, label="so far")
        raise


def results_command(run: str | None) -> str:
    """Name the command that shows the verdicts on what is sent from now on."""
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"fetch the verdicts with: streamverify results --since {since}{'' if run is None else f' --run {quote(run)}'}"
    )


def cancel_command(run: str | None) -> str:
    """Name the command after which the rest of a run is not verified, to follow another sentence; "" without a run."""
    return "" if run is None else f"; to have them not run: streamverify cancel --run {quote(run)}"
