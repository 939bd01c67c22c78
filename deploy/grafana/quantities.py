"""Values as a person reads them: the units of Grafana that our panels have."""

from __future__ import annotations

import math

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
_MAX_TICKS = 6
_TIMES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def written(value: float, unit: str) -> str:
    """Write a value with a unit of Grafana: three digits, and the prefix that makes it short."""
    match unit:
        case "s":
            return _scaled(value, _TIMES) if value else "0 s"
        case "bytes":
            return _scaled(value, _BINARY) if abs(value) >= _BINARY[-1][0] else f"{value:.0f} B"
        case "percentunit":
            return f"{_short(value * 100)} %"
        case _ if unit.startswith("suffix:"):
            return f"{_scaled(value, _PREFIXES)}{unit.removeprefix('suffix:')}"
        case _:
            return _scaled(value, _PREFIXES)


def ticks(top: float, unit: str) -> list[float]:
    """Choose the values at an axis from 0 to `top`: three to six of them, which `written` makes round."""
    sizes = {"s": _TIMES, "bytes": _BINARY}.get(unit, ((1.0, ""),))
    size = next((size for size, _ in sizes if top >= size), sizes[-1][0])
    scale = 10.0 ** math.floor(math.log10(top / size))
    # Minutes and hours are halved and quartered, and ten of a unit are round for all.
    steps = [factor * ten * size for ten in (scale / 10, scale) for factor in (1, 2, 2.5, 5)] + [10 * scale * size]
    if unit == "s" and size in {60.0, 3600.0}:
        steps = [size * part for part in (1 / 4, 1 / 2, 1, 2, 5, 10, 15, 30)]
    step = next((step for step in steps if top / step <= _MAX_TICKS), steps[-1])
    return [number * step for number in range(int(top / step) + 1)]


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    for size, name in units:
        if abs(value) >= size:
            return f"{_short(value / size)} {name}"
    return _short(value)


def _short(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2  # noqa: PLR2004 - three digits in all
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
