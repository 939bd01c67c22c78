"""Says of a command that is ended early how far it came, and how to go on from there."""

from __future__ import annotations

from contextlib import contextmanager
from shlex import quote
from typing import TYPE_CHECKING

from streamverify.cli.errors import ReaderGone
from streamverify.cli.output import remark
from streamverify.cli.times import now, rfc_3339
from streamverify.core.errors import StreamVerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def say_how_far(so_far: Callable[[], str], nothing: str = "nothing was sent") -> Iterator[None]:
    """Run the block. If Ctrl-C or an error ends it, say on stderr how far it came.

    Args:
        so_far: Words how far it came; "" where there is nothing to say beyond the error itself.
        nothing: The words after Ctrl-C where `so_far` is "".
    """
    try:
        yield
    except KeyboardInterrupt:
        remark(so_far() or nothing, label="interrupted")
        raise
    except ReaderGone:
        raise  # whoever has closed the pipe has what they wanted
    except StreamVerifyError:
        if said := so_far():
            remark(said, label="so far")
        raise


def results_command(run: str | None) -> str:
    """Name the command that shows the verdicts on what is sent from now on."""
    of_run = "" if run is None else f" --run {quote(run)}"
    return f"fetch the verdicts with: streamverify results --since {rfc_3339(now())}{of_run}"


def cancel_command(run: str | None) -> str:
    """Name the command after which the rest of a run is not verified, to follow another sentence; "" without a run."""
    return "" if run is None else f"; to have them not run: streamverify cancel --run {quote(run)}"
