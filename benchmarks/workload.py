"""What the benchmarks run: headers 80/6/4/3/3/2/1/1 %, service times as a server recorded them, imports of 2-10 s."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.syntax.header import Header, parse_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARES = (80, 6, 4, 3, 3, 2, 1, 1)
"""Percent of the proofs that each header has."""

IMPORT_SECONDS = (8.0, 5.0, 10.0, 2.0, 6.0, 3.0, 4.0, 7.0)
"""What importing each header takes: the hot one is Mathlib. The ninth takes what the first does, and so on."""

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data" / "goedel" / "recordings.jsonl"

_STAND_IN = (0.01, 0.1, 0.2, 0.2, 0.3, 0.4, 0.6, 0.9, 1.1, 1.4, 1.6, 1.9, 2.4, 2.9, 3.2, 4.3, 6.8, 9.4, 14.0, 40.0)
"""Where the recordings are not there: 20 quantiles like theirs."""


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """A proof of a run: when it comes and what it takes, in seconds."""

    header: Header
    arrival: float
    service: float
    producer: int = 0
    """Who sends it."""
    kills: bool = False
    """Whether its process does not survive it, as after a time-out."""
    timeout: float = 0.0
    """The time-out that its sender asks for."""


@cache
def headers(count: int = len(SHARES)) -> tuple[Header, ...]:
    """The headers of the benchmarks."""
    return tuple(parse_header(f"import Bench{number}\ntheorem t") for number in range(count))


@cache
def import_seconds(count: int = len(SHARES)) -> Mapping[str, float]:
    """Seconds of each header's import, by fingerprint."""
    return {
        header.fingerprint: IMPORT_SECONDS[number % len(IMPORT_SECONDS)] for number, header in enumerate(headers(count))
    }


@cache
def service_times() -> tuple[float, ...]:
    """Seconds that Lean took for each proof of the recordings."""
    if not RECORDED.is_file():
        return _STAND_IN
    answers = (json.loads(line)["result"]["response"] for line in RECORDED.read_text("utf-8").splitlines())
    return tuple(answer["time"] for answer in answers if answer and answer.get("time"))


def backlog(count: int, seed: int, *, one_header: bool = False) -> list[Proof]:
    """Proofs that are all there at 0."""
    rng = random.Random(seed)  # noqa: S311
    services = shuffled_services(count, rng)
    chosen = headers()[:1] * count if one_header else rng.choices(headers(), SHARES, k=count)
    return [Proof(header, 0.0, service) for header, service in zip(chosen, services, strict=True)]


def stream(count: int, seed: int, *, slots: int, load: float) -> list[Proof]:
    """Proofs that come at random (Poisson), so that Lean alone would keep `slots` slots busy for `load` of the time."""
    rng = random.Random(seed)  # noqa: S311
    services = shuffled_services(count, rng)
    chosen = rng.choices(headers(), SHARES, k=count)
    times = arrivals(count, rng, rate=load * slots / mean_service())
    return [Proof(header, at, service) for header, at, service in zip(chosen, times, services, strict=True)]


def arrivals(count: int, rng: random.Random, rate: float, together: int = 1) -> list[float]:
    """When proofs come: at random, `rate` a second, so many together."""
    now, times = 0.0, []
    for number in range(count):
        if number % together == 0:
            now += rng.expovariate(rate / together)
        times.append(now)
    return times


def shuffled_services(count: int, rng: random.Random) -> Sequence[float]:
    """The same sum in every run: each recorded time as often as another."""
    times = service_times()
    services = (list(times) * (count // len(times) + 1))[:count]
    rng.shuffle(services)
    return services


def mean_service() -> float:
    """Seconds that Lean takes for a proof."""
    return sum(service_times()) / len(service_times())
