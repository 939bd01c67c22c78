"""The hot headers, kept over restarts in a small file: a worker that starts warms what the one before it was asked for.

Losing the file costs some imports, so nothing here ever fails a worker.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from streamverify.core.errors import HeaderError
from streamverify.core.scheduling.header_stats import HeaderStat
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from streamverify.core.scheduling.header_stats import HeaderStats
    from streamverify.lean.repl.command import ReplCommand

MOST = 32
"""Headers that are kept."""

LONGEST_HEADER = 2_000
"""Characters; a longer one is not kept."""

MOST_BYTES = 256 * 1024
"""A larger file is none of ours."""

_log = structlog.get_logger(__name__)


def learned_file(command: ReplCommand) -> Path:
    """Where the headers of this REPL and project are kept: in `$XDG_STATE_HOME`, by default ~/.local/state.

    Workers of one machine share it; the last one that writes wins.
    """
    folder = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    what = "\0".join((*command.argv, str(command.cwd)))
    return Path(folder, "streamverify", f"headers-{hashlib.sha256(what.encode()).hexdigest()[:16]}.json")


def read_learned(file: Path) -> list[HeaderStat]:
    """What was kept; nothing where there is none, or where it cannot be read."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
        return _decode(raw)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, HeaderError, RecursionError) as error:
        _log.warning("learned_headers_unreadable", file=str(file), error=str(error)[:200])
        return []


def write_learned(file: Path, stats: HeaderStats, now: float) -> None:
    """Keep the hottest headers: whole or not at all."""
    hottest = [each for each in stats.hottest(now, MOST) if len(each.header.canonical) <= LONGEST_HEADER]
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
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({"headers": headers}, indent=1) + "\n", "utf-8")
        unfinished.replace(file)
    except OSError as error:
        _log.info("learned_headers_not_kept", file=str(file), error=error.strerror)
        with suppress(OSError):
            unfinished.unlink()


def _decode(raw: bytes) -> list[HeaderStat]:
    if len(raw) > MOST_BYTES:
        raise ValueError("it is too large")
    return [_stat(entry) for entry in json.loads(raw)["headers"][:MOST]]


def _stat(entry: dict[str, object]) -> HeaderStat:
    header = parse_header(str(entry["header"]))
    numbers = [float(str(entry[name])) for name in ("asked", "import_seconds")]
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise ValueError("`asked` and `import_seconds` must be finite and not negative")
    return HeaderStat(header, *numbers)
