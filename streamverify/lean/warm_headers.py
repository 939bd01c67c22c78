"""The headers that are warm when a worker starts: those of PREWARM, and the hottest ones of the worker before it.

The setting PREWARM is a promise: a worker that cannot import its headers does not start. The saved headers are a help:
losing their file costs some imports, so nothing about it ever fails a worker. `try_header` imports one header as a
worker would, for `streamverify doctor`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from streamverify.core.errors import HeaderError, ReplUnavailable
from streamverify.core.metrics.labels import ReplReplaced
from streamverify.core.scheduling.header_stats import HeaderStat
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.core.syntax.header import parse_header
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

MAX_SAVED_HEADERS = 32
"""Headers that are saved."""

MAX_HEADER_LENGTH = 2_000
"""Characters; a longer header is not saved."""

MAX_FILE_BYTES = 256 * 1024
"""A larger file was not written by a worker."""

SAVE_INTERVAL = 300.0
"""Seconds between two times that the hottest headers are saved, so that a worker which is killed loses little."""

_DEMAND_OF_FIRST = 16.0
"""Proofs in ten minutes that the first header of PREWARM is taken to be asked for; each next: a sixteenth of that."""

_PLAIN = re.compile(r"[^\W\d]\w*")
_MAX_ANSWER_BYTES = 1 << 20

_log = structlog.get_logger(__name__)


def saved_headers_file(command: ReplCommand) -> Path:
    """Return the file for the headers of this REPL and project: in `$XDG_STATE_HOME`, by default ~/.local/state.

    Workers of one machine share it; the last one that writes wins.
    """
    folder = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    what = "\0".join((*command.argv, str(command.cwd)))
    return Path(folder, "streamverify", f"headers-{hashlib.sha256(what.encode()).hexdigest()[:16]}.json")


def read_saved_headers(file: Path) -> list[HeaderStat]:
    """Return the saved headers; none where there is no file, or one that cannot be read."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
        return _decode(raw)
    except FileNotFoundError:
        return []
    # Whatever stands in it: another program, or another version of this one, may have written it.
    except (OSError, ValueError, KeyError, TypeError, HeaderError, RecursionError) as error:
        _log.warning(
            "saved_headers_unreadable",
            file=str(file),
            error=str(error)[:200],
            hint="the worker starts without warm headers beyond PREWARM; the file is replaced at its next save",
        )
        return []


def _decode(raw: bytes) -> list[HeaderStat]:
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError("it is too large")
    found = []
    for entry in json.loads(raw)["headers"][:MAX_SAVED_HEADERS]:
        numbers = [float(str(entry[name])) for name in ("asked", "import_seconds")]
        # `float` reads "inf" and "nan", too, and with those no two headers can be compared.
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise ValueError("`asked` and `import_seconds` must be finite and not negative")
        found.append(HeaderStat(parse_header(str(entry["header"])), *numbers))
    return found


def write_saved_headers(file: Path, stats: HeaderStats, now: float) -> None:
    """Save the hottest headers: whole or not at all."""
    hottest = [
        each for each in stats.hottest(now, MAX_SAVED_HEADERS) if len(each.header.canonical) <= MAX_HEADER_LENGTH
    ]
    # A worker that was asked for nothing knows less than the file does.
    if not hottest:
        return
    headers = [
        {
            "header": each.header.canonical,
            "asked": round(each.asked, 3),
            "import_seconds": round(each.import_seconds, 3),
        }
        for each in hottest
    ]
    # Renamed when it is whole, because another worker may read or write the file at the same time. Workers in two
    # containers may share the folder, and have the same process id.
    unfinished = file.with_name(f"{file.name}.{os.uname().nodename}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({"headers": headers}, indent=1) + "\n", "utf-8")
        unfinished.replace(file)
    except OSError as error:
        _log.info("saved_headers_not_written", file=str(file), error=error.strerror)
        with suppress(OSError):
            unfinished.unlink()


async def keep_saving(file: Path, stats: HeaderStats) -> None:
    """Save the hottest headers every `SAVE_INTERVAL` seconds, and once more when this is cancelled."""
    try:
        while True:
            await asyncio.sleep(SAVE_INTERVAL)
            write_saved_headers(file, stats, time.monotonic())
    finally:
        write_saved_headers(file, stats, time.monotonic())


def headers_to_warm(setting: str, command: ReplCommand) -> list[Header]:
    """Return the headers that PREWARM names, the most important first; `auto`: the root of each library."""
    if setting != "auto":
        return parse_prewarm(setting)
    return parse_prewarm(";".join(library_roots(command)) or "none")


def library_roots(command: ReplCommand) -> list[str]:
    """Return the compiled root modules of the project that have modules below them; the largest library first."""
    # Of a confined command the folder is among its arguments only.
    command = command.outside or command
    if command.cwd is None or command.env is None:
        return []
    project = command.cwd.resolve()
    folders = [Path(project, part).resolve() for part in command.env.get("LEAN_PATH", "").split(":") if part]
    sizes = {
        file.stem: sum(1 for _ in file.with_suffix("").rglob("*.olean"))
        for folder in dict.fromkeys(folders)
        # The toolchain's own libraries are on the path, too, and every library imports what it needs of them.
        if folder.is_relative_to(project)
        for file in folder.glob("*.olean")
        if _PLAIN.fullmatch(file.stem) and file.with_suffix("").is_dir()
    }
    return sorted(sizes, key=lambda name: (-sizes[name], name))


async def prewarm(slots: Sequence[Slot], headers: Sequence[Header], stats: HeaderStats, *, at_once: int) -> None:
    """Import each header once, so that a worker which cannot verify them does not start.

    Args:
        slots: The pool's, none of them in use yet.
        headers: Those of PREWARM, the most important first.
        stats: They are noted here as asked for, so that the scheduler warms them.
        at_once: How many imports may run at once.

    Raises:
        ReplUnavailable: One of them cannot be imported.
    """
    knows_demand = bool(stats.hottest(time.monotonic(), 1))
    size = min(at_once, len(slots))
    # The most important last, so that its process stays.
    last_first = list(reversed(headers))
    for batch in (last_first[at : at + size] for at in range(0, len(headers), size)):
        failures = await asyncio.gather(*(slot.prewarm(header) for slot, header in zip(slots, batch, strict=False)))
        for header, failure in zip(batch, failures, strict=True):
            if failure is not None:
                names = header.canonical.replace("\n", "; ").strip("; ") or "a blank header"
                raise ReplUnavailable(f"STREAMVERIFY_PREWARM (--prewarm): `{names}` cannot be imported: {failure}")
    for rank, header in enumerate(headers):
        stats.asked(header, time.monotonic(), _DEMAND_OF_FIRST / 16**rank)
    hottest = stats.hottest(time.monotonic(), 1)
    if hottest and (knows_demand or len(headers) > len(slots)):
        # Processes that only showed that their headers can be imported make room for the hottest one.
        others = [slot for slot in slots if hottest[0].header.fingerprint not in slot.process.state.headers]
        await asyncio.gather(*(slot.close(ReplReplaced.HEADER) for slot in others))


class HeaderTrial(NamedTuple):
    """The outcome of importing a header once. `memory` is in bytes of private memory, after the import."""

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
        session = ReplSession(command, max_answer_bytes=_MAX_ANSWER_BYTES)
        await import_header(session, header, timeout=timeout, ask_lean=command.kind == "lean")
        memory = usage(session.pid).memory
    except ImportRejected as rejected:
        failure = str(rejected)
    except ReplFailure as error:
        failure = f"{error}{start_advice(error, command, timeout)}"
    finally:
        if session is not None:
            await session.close()
    return HeaderTrial(time.monotonic() - begun, memory, failure)
