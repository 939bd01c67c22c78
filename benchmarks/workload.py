"""What the benchmarks run: headers 80/6/4/3/3/2/1/1 %, service times as a server recorded them, imports of 2-10 s."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.header import Header, parse_header

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARES = (80, 6, 4, 3, 3, 2, 1, 1)
"""Percent of the proofs that each header has."""

IMPORT_SECONDS = (8.0, 5.0, 10.0, 2.0, 6.0, 3.0, 4.0, 7.0)
"""What importing each header takes: the hot one is Mathlib."""

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data" / "goedel" / "recordings.jsonl"

_STAND_IN = (0.01, 0.1, 0.2, 0.2, 0.3, 0.4, 0.6, 0.9, 1.1, 1.4, 1.6, 1.9, 2.4, 2.9, 3.2, 4.3, 6.8, 9.4, 14.0, 40.0)
"""Where the recordings are not there: 20 quantiles like theirs."""


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """A proof of a run: when it comes and what it takes, in seconds."""

    header: Header
    arrival: float
    service: float


@cache
def headers(count: int = len(SHARES)) -> tuple[Header, ...]:
    """The headers of the benchmarks."""
    return tuple(parse_header(f"import Bench{number}\ntheorem t") for number in range(count))


@cache
def import_seconds() -> dict[str, float]:
    """Seconds of each header's import, by fingerprint."""
    return {header.fingerprint: seconds for header, seconds in zip(headers(), IMPORT_SECONDS, strict=True)}


@cache
def service_times() -> tuple[float, ...]:
    """Seconds that Lean took for each proof of the recordings."""
    if not RECORDED.is_file():
        return _STAND_IN
    answers = (json.loads(line)["result"]["response"] for line in RECORDED.read_text("utf-8").splitlines())
    return tuple(answer["time"] for answer in answers if answer and answer.get("time"))


def backlog(count: int, seed: int, *, one_header: bool = False) -> list[Proof]:
    """Proofs that are all there at 0."""
    return [Proof(header, 0.0, service) for header, service in _draw(count, random.Random(seed), one_header)]  # noqa: S311


def stream(count: int, seed: int, *, slots: int, load: float) -> list[Proof]:
    """Proofs that come at random (Poisson), so that Lean alone would keep `slots` slots busy for `load` of the time."""
    rng = random.Random(seed)  # noqa: S311
    rate = load * slots / (sum(service_times()) / len(service_times()))
    now, proofs = 0.0, []
    for header, service in _draw(count, rng, one_header=False):
        now += rng.expovariate(rate)
        proofs.append(Proof(header, now, service))
    return proofs


def _draw(count: int, rng: random.Random, one_header: bool) -> Sequence[tuple[Header, float]]:  # noqa: FBT001
    times = service_times()
    # The same sum in every run: each time as often as another.
    services = (list(times) * (count // len(times) + 1))[:count]
    chosen = headers()[:1] * count if one_header else rng.choices(headers(), SHARES, k=count)
    rng.shuffle(services)
    return list(zip(chosen, services, strict=True))
