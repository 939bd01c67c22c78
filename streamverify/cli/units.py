"""Words numbers for people: how long, how much, how often."""

from __future__ import annotations

_KIB = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TENTHS = 10


def duration(seconds: float | None) -> str:
    """Write a length of time in at most two units: `0.3 s`, `12 s`, `1m 12s`, `2h 05m`, `3d 04h`; `-` for none."""
    if seconds is None:
        return "-"
    # Rounded before the unit is chosen, so that nothing is 60 s long.
    if round(seconds, 1) < _TENTHS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY:,}d {whole % _DAY // _HOUR:02}h"


def size(count: int | None) -> str:
    """Write a number of bytes: `412 MiB`, `1.2 GiB`; `-` for none."""
    if count is None:
        return "-"
    # The unit is chosen by the rounded number, so that nothing is 1,024 MiB large.
    for unit in ("KiB", "MiB", "GiB"):
        count_of = count / _KIB ** (("KiB", "MiB", "GiB").index(unit) + 1)
        if round(count_of) < _KIB:
            break
    else:
        unit, count_of = "TiB", count / _KIB**4
    return f"{count_of:.1f} {unit}" if unit in {"GiB", "TiB"} and count_of < _KIB // 10 else f"{count_of:,.0f} {unit}"


def rate(per_second: float | None) -> str:
    """Write how often a second with three digits: `0.05`, `12.3`, `1,234`; `-` for none."""
    if per_second is None:
        return "-"
    if per_second == 0:
        return "0"
    if per_second >= 99.95:  # noqa: PLR2004 - it would be 100.0
        return f"{per_second:,.0f}"
    return f"{per_second:.1f}" if per_second >= 9.995 else f"{per_second:.2f}"  # noqa: PLR2004 - as above
