"""What a run has shown, from the records alone: lost, wrong, repeated, and how long a partition stood still. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Place = tuple[int, int]
"""Partition and offset of a request."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that the broker has acknowledged; `at` is its record's timestamp, in milliseconds."""

    custom_id: str
    place: Place
    at: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of the result topic; `place` is that of the request that it answers."""

    custom_id: str
    place: Place
    verdict: str
    at: int


@dataclass(slots=True)
class Strike:
    """One fault: what it did, and what the workers held when it struck. Times in milliseconds since the epoch."""

    kind: str
    target: str
    begin: int
    end: int = 0
    in_flight: int = 0
    """Records queued, running, or finished since the last acknowledged commit, in the workers that it hit."""
    at_risk: int = 0
    """The same without those that were only queued: as many as a kill may repeat."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A time without a result in a partition that had unanswered requests."""

    milliseconds: int
    partition: int
    begin: int


@dataclass(slots=True)
class Row:
    """What the faults of one kind cost."""

    kind: str
    strikes: int = 0
    in_flight: int = 0
    at_risk: int = 0
    repeats: int = 0
    stall_ms: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of all requests."""

    records: int
    results: int
    lost: list[str]
    wrong: list[str]
    repeats: int
    stall_ms: int
    rows: list[Row]
    ok: bool = field(init=False)

    def __post_init__(self) -> None:
        self.ok = not self.lost and not self.wrong

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"ok": self.ok}


def judge(
    sent: Iterable[Sent], seen: Iterable[Seen], expected: Mapping[str, str], strikes: Iterable[Strike]
) -> Outcome:
    """Compare what came with what had to come.

    Every acknowledged request must have a result, and *every* result, repeats included, the one right verdict.
    """
    sent, seen, strikes = list(sent), sorted(seen, key=lambda record: record.at), list(strikes)
    answered = {record.place for record in seen}
    lost = [record.custom_id for record in sent if record.place not in answered]
    lost += sorted(expected.keys() - {record.custom_id for record in sent})
    wrong = [
        f"{record.custom_id}: {record.verdict}, not {expected.get(record.custom_id, 'sent at all')}"
        for record in seen
        if record.verdict != expected.get(record.custom_id)
    ]
    repeated = _repeated(seen)
    stalls = [
        longest for partition in {record.place[0] for record in sent} for longest in _stalls(partition, sent, seen)
    ]
    rows = _rows(strikes, repeated, stalls)
    longest = max((stall.milliseconds for stall in stalls), default=0)
    return Outcome(len(sent), len(seen), lost, wrong, len(repeated), longest, rows)


def _repeated(seen: list[Seen]) -> list[Seen]:
    """Every result but the first of each request."""
    known: set[Place] = set()
    repeated = []
    for record in seen:
        if record.place in known:
            repeated.append(record)
        known.add(record.place)
    return repeated


def _stalls(partition: int, sent: list[Sent], seen: list[Seen]) -> list[Stall]:
    """The times between two results (or a request that finds none waiting, and the next result) of a partition."""
    changes = [(record.at, 1) for record in sent if record.place[0] == partition]
    first: dict[Place, int] = {}
    for record in seen:
        if record.place[0] == partition:
            first.setdefault(record.place, record.at)
    changes += [(at, -1) for at in first.values()]
    stalls, waiting, since = [], 0, 0
    for at, change in sorted(changes):
        if change == 1:
            since = since if waiting else at
        else:
            stalls.append(Stall(at - since, partition, since))
            since = at
        waiting += change
    return stalls


def _rows(strikes: list[Strike], repeated: list[Seen], stalls: list[Stall]) -> list[Row]:
    """The cost by kind: a repeat is laid to the last strike before it, a stall to the last before its end."""
    rows: dict[str, Row] = defaultdict(lambda: Row(""))
    for strike in strikes:
        row = rows[strike.kind]
        row.kind = strike.kind
        row.strikes += 1
        row.in_flight += strike.in_flight
        row.at_risk += strike.at_risk
    for kind, count in Counter(_blame(strikes, record.at) for record in repeated).items():
        rows[kind].kind = kind
        rows[kind].repeats = count
    for stall in stalls:
        kind = _blame(strikes, stall.begin + stall.milliseconds)
        rows[kind].kind = kind
        rows[kind].stall_ms = max(rows[kind].stall_ms, stall.milliseconds)
    return sorted(rows.values(), key=lambda row: row.kind)


def _blame(strikes: list[Strike], at: int) -> str:
    before = [strike for strike in strikes if strike.begin <= at]
    return max(before, key=lambda strike: strike.begin).kind if before else "(before any)"
