"""Figures as people read them."""

from __future__ import annotations

_MINUTE, _HOUR = 60, 3600
MISSING = "\N{EN DASH}"
_SPACE = "\N{NO-BREAK SPACE}"


def seconds(value: float | None) -> str:
    """Write a duration with three digits that count: `12.3 ms`, `1.88 s`, `2 min 5 s`, `3 h 20 min`."""
    if value is None:
        return MISSING
    if value == 0:
        return f"0{_SPACE}s"
    if value < 0.9995:  # noqa: PLR2004 - what is rounded to 1,000 ms is written as a second
        return f"{_digits(value * 1000)}{_SPACE}ms"
    if value < 2 * _MINUTE:
        return f"{_digits(value)}{_SPACE}s"
    whole = round(value)
    if whole < 2 * _HOUR:
        return _joined(whole // _MINUTE, "min", whole % _MINUTE, "s")
    return _joined(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")


def percent(share: float | None) -> str:
    """Write a share so that neither `0 %` nor `100 %` stands where it is not exact."""
    if share is None:
        return MISSING
    if share in {0, 1}:
        return f"{share * 100:.0f}{_SPACE}%"
    shown = share * 100
    if shown < 0.05:  # noqa: PLR2004 - what would be written as 0.0 %
        return f"< 0.1{_SPACE}%"
    if shown >= 99.95:  # noqa: PLR2004
        return f"> 99.9{_SPACE}%"
    return f"{shown:.1f}{_SPACE}%"


def count(number: int) -> str:
    """Write a number of things."""
    return f"{number:,}"


def size(number: int) -> str:
    """Write a number of bytes."""
    return f"{number / 2**30:.1f}{_SPACE}GiB"


def _joined(large: int, unit: str, small: int, smaller_unit: str) -> str:
    return f"{large:,}{_SPACE}{unit}" + (f" {small}{_SPACE}{smaller_unit}" if small else "")


def _digits(value: float) -> str:
    for decimals, limit in ((2, 9.995), (1, 99.95)):
        if value < limit:
            return f"{value:.{decimals}f}"
    return f"{value:.0f}"
