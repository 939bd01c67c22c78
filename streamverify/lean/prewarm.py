"""The headers that a worker imports before it joins its group: which they are, and their imports.

`try_header` imports one as a worker would, for `streamverify doctor`.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.errors import ReplUnavailable
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.lean.repl.commands import ImportRejected, import_header
from streamverify.lean.repl.errors import ReplFailure
from streamverify.lean.repl.session import ReplSession
from streamverify.lean.repl.start_advice import start_advice
from streamverify.lean.repl.usage import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.scheduling.header_stats import HeaderStats
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.command import ReplCommand
    from streamverify.lean.slot import Slot

_FIRST_OF_PREWARM = 16.0
"""Proofs that the first header of PREWARM is taken to be asked for in ten minutes; each next: a sixteenth of that."""

_PLAIN = re.compile(r"[^\W\d]\w*")
_MOST_BYTES = 1 << 20


class HeaderTrial(NamedTuple):
    """What came of importing a header once. `memory` is in bytes of private memory, after the import."""

    seconds: float
    memory: int
    failure: str | None


async def try_header(command: ReplCommand, header: Header, *, timeout: float) -> HeaderTrial:
    """Import a header in a REPL of its own, as a worker would: with its limits and in its sandbox.

    Args:
        command: The configured REPL.
        header: What to import.
        timeout: Seconds for the import.
    """
    begun = time.monotonic()
    session, memory, failure = None, 0, None
    try:
        session = ReplSession(command, max_answer_bytes=_MOST_BYTES)
        await import_header(session, header, timeout=timeout, ask_lean=command.kind == "lean")
        memory = usage(session.pid).memory
    except ImportRejected as rejected:
        failure = "\n".join(rejected.texts) or "Lean did not import it, and this REPL keeps its reason to itself."
    except ReplFailure as error:
        failure = f"{error}{start_advice(error, command, timeout)}"
    finally:
        if session is not None:
            session.kill()
            await session.closed()
    return HeaderTrial(time.monotonic() - begun, memory, failure)


def headers_to_warm(setting: str, command: ReplCommand) -> list[Header]:
    """The headers that the setting names, the most important first; `auto`: the root of each library of the project."""
    if setting != "auto":
        return parse_prewarm(setting)
    return parse_prewarm(";".join(library_roots(command)) or "none")


def library_roots(command: ReplCommand) -> list[str]:
    """The compiled root modules that lie in the project and have modules below them; the largest library first."""
    # Of a confined command the folder is among its arguments only.
    command = command.outside or command
    if command.cwd is None or command.env is None:
        return []
    project = command.cwd.resolve()
    folders = [Path(project, part).resolve() for part in command.env.get("LEAN_PATH", "").split(":") if part]
    roots = {
        file.stem: _size(file.with_suffix(""))
        for folder in dict.fromkeys(folders)
        if folder.is_relative_to(project)
        for file in folder.glob("*.olean")
        if _PLAIN.fullmatch(file.stem) and file.with_suffix("").is_dir()
    }
    return sorted(roots, key=lambda name: (-roots[name], name))


def _size(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.olean"))


async def import_first(slots: Sequence[Slot], headers: Sequence[Header], stats: HeaderStats, *, at_once: int) -> None:
    """Import each header once, so that a worker which cannot verify them does not start.

    Args:
        slots: The pool's, none of them in use yet.
        headers: Those of PREWARM, the most important first.
        stats: They are noted here as asked for, so that the scheduler warms them.
        at_once: How many imports may run at once.

    Raises:
        ReplUnavailable: One of them cannot be imported.
    """
    learned = stats.hottest(time.monotonic(), 1)
    size = min(at_once, len(slots))
    # The most important last, so that its process stays.
    last_first = list(reversed(headers))
    for batch in (last_first[at : at + size] for at in range(0, len(headers), size)):
        failures = await asyncio.gather(*(slot.warm(header) for slot, header in zip(slots, batch, strict=False)))
        for header, failure in zip(batch, failures, strict=True):
            if failure is not None:
                names = header.canonical.replace("\n", "; ").strip("; ") or "a blank header"
                raise ReplUnavailable(f"PREWARM: `{names}` cannot be imported: {failure}")
    for rank, header in enumerate(headers):
        stats.asked(header, time.monotonic(), _FIRST_OF_PREWARM / 16**rank)
    hottest = stats.hottest(time.monotonic(), 1)
    if hottest and (learned or len(headers) > len(slots)):
        # Processes that only showed that their headers can be imported make room for the hottest one.
        others = [slot for slot in slots if hottest[0].header.fingerprint not in slot.state.headers]
        await asyncio.gather(*(slot.close() for slot in others))
