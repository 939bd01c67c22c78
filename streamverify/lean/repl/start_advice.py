"""Advice on a REPL that does not come up, or does not import a header: the limit that it met, and its setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.lean.repl import resources
from streamverify.lean.repl.errors import Cause, Died, MemoryExceeded, TimedOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.lean.repl.command import ReplCommand

_NO_THREAD = ("failed to create thread", "can't start new thread", "Resource temporarily unavailable", "Cannot fork")
"""The words of Lean, Python and shells where a thread or a process is refused."""

_MIB = 1024**2


def start_advice(failure: BaseException | None, command: ReplCommand, import_timeout: float | None = None) -> str:
    """Return one or two sentences that name the limit and the setting, after a space; "" where none is known.

    Args:
        failure: What ended the REPL before or while it imported.
        command: What was started, with its limits.
        import_timeout: Seconds that the import had; None: nothing was imported.
    """
    if isinstance(failure, TimedOut) and import_timeout is not None:
        return f" It had {import_timeout:g} s: set STREAMVERIFY_IMPORT_TIMEOUT (--import-timeout) higher."
    advice = _advice(failure, command, resources.limits_on_reservations())
    return f" {advice}" if advice else ""


def _advice(failure: BaseException | None, command: ReplCommand, reservations: Sequence[str]) -> str:
    if isinstance(failure, MemoryExceeded):
        return (
            f"Its limit of private memory is {(command.limits.memory or 0) // _MIB} MiB: set "
            "STREAMVERIFY_MEMORY_PER_REPL (--memory-per-repl) higher."
        )
    if not isinstance(failure, Died):
        return ""
    refused = any(text in str(failure) for text in _NO_THREAD)
    if refused or (failure.death.cause is not Cause.EXIT and reservations):
        # Not only where a thread was refused: without room, a loader or an allocation can be the first to fail.
        found = [*reservations, *(_limits_on_threads(command) if refused else ())]
        return f"Lean reserves 1 GiB of address space for each of its threads. Limits here: {'; '.join(found)}."
    if failure.death.cause is Cause.MEMORY:
        return (
            "The kernel kills where the machine or the container has no memory left: set STREAMVERIFY_SLOTS lower, or "
            "give it more memory."
        )
    return ""


def _limits_on_threads(command: ReplCommand) -> list[str]:
    found = []
    # Outside the sandbox there is no counting the processes of one REPL, so no limit of ours can be the one.
    if command.sandbox != "none":
        found.append(f"{command.limits.processes} processes and threads in the sandbox (LEAN_NUM_THREADS lower)")
    count = resources.process_limit()
    if count is not None:
        found.append(f"{count} processes and threads in all (ulimit -u, or the container's pids limit, higher)")
    return found
