"""Reads times from the command line."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from streamverify.cli.errors import InputError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_time(text: str, flag: str = "--since") -> datetime:
    """Read an RFC 3339 time, or a length of time before now (`10m`, `1h30m`).

    Raises:
        InputError: The text is neither; the message names the flag.
    """
    word = text.strip()
    try:
        if _DURATION.fullmatch(word):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word))
            return datetime.now(UTC) - timedelta(seconds=seconds)
        moment = datetime.fromisoformat(word)
    except (ValueError, OverflowError):
        moment = None
    # Without its zone a time would be this machine's, which is not that of the broker, or of a colleague.
    if moment is None or moment.tzinfo is None:
        raise InputError(
            f"{flag}: {text[:80]!r} is neither a time with its zone (2026-01-31T08:00:00Z) "
            "nor a length of time (10m, 1h30m)"
        )
    return moment


def milliseconds(text: str | None, flag: str = "--since") -> int | None:
    """Read a time as Kafka has it, in milliseconds since 1970 and not below 0; None stays None.

    Raises:
        InputError: The text is no time; the message names the flag.
    """
    return None if text is None else max(0, round(parse_time(text, flag).timestamp() * 1000))


def shown(timestamp: int) -> str:
    """Write a time of Kafka's for people, `2026-01-31 08:00:00Z`; `?` for one that no calendar has."""
    return _format(timestamp, "%Y-%m-%d %H:%M:%SZ")


def now() -> int:
    """Return the time of now as Kafka has it, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def rfc_3339(timestamp: int) -> str:
    """Write a time of Kafka's as RFC 3339 has it, to the second below."""
    return _format(timestamp, "%Y-%m-%dT%H:%M:%SZ")


def _format(timestamp: int, form: str) -> str:
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):  # a producer sets the timestamp, and may set any number
        return "?"
