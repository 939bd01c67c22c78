"""Reads the flags of the synthetic REPL: the times to draw, and the outcome of each import. Does nothing itself.

The readers raise ValueError with a sentence for people.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header
from streamverify.standins.directives import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OUTCOMES = ("error", "fail", "crash", "hang")
"""The outcomes of an import, besides that it succeeds."""


class ImportRule(NamedTuple):
    """The time that an import takes, in seconds, and then one of OUTCOMES, or "" where it succeeds."""

    seconds: float = 0.0
    outcome: str = ""


def parse_import(text: str) -> tuple[str, ImportRule]:
    """Read the canonical header and the rule of `HEADER=SECONDS[:OUTCOME]`.

    HEADER is a canonical header with `;` for its line ends; `import` may be left out of each part.
    """
    header, equals, rule = text.rpartition("=")
    seconds, _, outcome = rule.partition(":")
    if not equals or (":" in rule and outcome not in OUTCOMES):
        raise ValueError(f"{text!r} should be HEADER=SECONDS or HEADER=SECONDS:{'|'.join(OUTCOMES)}")
    return _canonical(header), ImportRule(parse_seconds(seconds), outcome)


def _canonical(text: str) -> str:
    lines = []
    for part in text.split(";"):
        words = part.split()
        # `Mathlib` is short for `import Mathlib`; `module` alone is a line of its own.
        if words and not ("import" in words or words == ["module"]):
            words = ["import", *words]
        lines += [" ".join(words)] if words else []
    source = "".join(f"{line}\n" for line in lines)
    try:
        header = parse_header(source)
    except HeaderError as error:
        raise ValueError(f"{text!r} is no header: {error}") from error
    if not header.canonical or header.end < len(source):
        raise ValueError(f"{text!r} is no header: give imports with `;` between them, or a module's name")
    return header.canonical


def parse_service(text: str, seed: int | None) -> Callable[[], float] | None:
    """Return a draw of service times in seconds: of `S`, `exp:MEAN` or `lognormal:MEDIAN:SIGMA`; None for no time."""
    name, *parameters = text.split(":")
    if not parameters:
        seconds = parse_seconds(name)
        return (lambda: seconds) if seconds else None
    first, *others = map(parse_seconds, parameters)
    draw = _draw(name, first, others, seed) if first > 0 else None
    if draw is None:
        raise ValueError(f"{text!r} should be S, exp:MEAN or lognormal:MEDIAN:SIGMA, times in seconds and above 0")
    return draw


def _draw(name: str, mean: float, others: Sequence[float], seed: int | None) -> Callable[[], float] | None:
    import random  # noqa: PLC0415 - start-up time counts, and most runs draw nothing

    generator = random.Random(seed)  # noqa: S311 - no secret
    if name == "exp" and not others:
        return lambda: generator.expovariate(1 / mean)
    if name == "lognormal" and len(others) == 1:
        return lambda: generator.lognormvariate(math.log(mean), others[0])
    return None
