"""Decides which requests a cancellation ends. Pure: no clock, no Kafka.

A cancellation names requests by what they say (run, group, custom_id) and by who sent them through a gateway, and it
has an end: for each partition of the request topic the offset that was the next one when it was made. Only requests
below are meant. So whoever uses the name of a cancelled run again is not concerned, and no clock has to be right.

A worker remembers the cancellations that it has heard of, asks them for each record that it reads, and for each that it
has when it hears of a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.groups.scope import callers_id, gateway_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamverify.core.job import Record
    from streamverify.core.messages.models import ProofRequest

MAX_NAMES = 10_000
"""The number of names that a worker remembers, each id of a cancellation counted; beyond it the cancellation that was
heard of first is forgotten."""
MAX_LEAD = 2 * 3600.0
"""Seconds that the timestamp of a request may be later than the cancellation that ends it.

Kafka refuses timestamps that are more than an hour ahead of its clock (`message.timestamp.after.max.ms`). What is later
than that was not there when the cancellation was made: the topic is another one by now, whose offsets began anew.
"""


@dataclass(frozen=True, slots=True)
class Names:
    """The conditions of a cancellation: it means requests that meet each one that is given, and have any of the ids."""

    run: str | None = None
    group: str | None = None
    ids: frozenset[str] = frozenset()
    api_key: str | None = None
    """The name of an API key of a gateway; the ids are then its callers' own, too."""

    def __bool__(self) -> bool:
        """True if there is a condition."""
        return bool(self.run is not None or self.group is not None or self.ids or self.api_key is not None)

    def __str__(self) -> str:
        """Say what is meant, as the command line does."""
        ids = sorted(self.ids)
        said = {
            "run": self.run,
            "group": self.group,
            "custom_id": f"{ids[0]}{f' and {len(ids) - 1} more' * (len(ids) > 1)}" if ids else None,
            "API key": self.api_key,
        }
        return ", ".join(f"{what} {_short(name)}" for what, name in said.items() if name is not None)

    def take(self, request: ProofRequest, kafka_headers: Sequence[tuple[str, bytes | None]]) -> bool:
        """Tell whether a request is one of them."""
        if self.run is not None and request.run != self.run:
            return False
        if self.group is not None and request.group != self.group:
            return False
        if self.api_key is not None and gateway_key(kafka_headers) != self.api_key:
            return False
        if not self.ids or request.custom_id in self.ids:
            return True
        # On Kafka the id is the gateway's own: its caller knows the one that it gave.
        return self.api_key is not None and callers_id(kafka_headers) in self.ids


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Ends the requests that have these names and were on the topic already."""

    consumer_group: str
    """The group of the workers that are meant: others may read the same topic."""
    topic: str
    names: Names
    ends: tuple[int, ...]
    """By partition the first offset that is not concerned; of a partition that is missing here no record is."""
    cancelled: float
    """The time, in seconds since the epoch."""

    def ends_record(self, record: Record, request: ProofRequest) -> bool:
        """Tell whether it ends this request."""
        partition, offset, _epoch = record.id
        # A partition that was added since had no record when it was made.
        if partition >= len(self.ends) or offset >= self.ends[partition]:
            return False
        if record.source.timestamp / 1000 > self.cancelled + MAX_LEAD:
            return False
        return self.names.take(request, record.kafka_headers)


class Cancellations:
    """The cancellations that a worker has heard of, as far as they concern it."""

    def __init__(self, *, consumer_group: str, topic: str, most: int = MAX_NAMES) -> None:
        """Know none yet.

        Args:
            consumer_group: The worker's group.
            topic: The topic that it reads.
            most: The number of names that are remembered.
        """
        self._concerned = (consumer_group, topic)
        self._most = most
        # In the order in which they were heard of. Of the same names the last one counts: its ends are the later ones.
        self._known: dict[Names, Cancellation] = {}
        self._indexed: dict[tuple[str, str], dict[Names, Cancellation]] = {}
        self._size = 0

    def __len__(self) -> int:
        """The number of names that are remembered."""
        return self._size

    def add(self, cancellation: Cancellation) -> bool:
        """Remember a cancellation. Returns whether it concerns this worker's group and topic."""
        # One without names would end every request of the topic.
        if (cancellation.consumer_group, cancellation.topic) != self._concerned or not cancellation.names:
            return False
        if cancellation.names in self._known:
            self._forget(cancellation.names)
        self._known[cancellation.names] = cancellation
        for place in _places(cancellation.names):
            self._indexed.setdefault(place, {})[cancellation.names] = cancellation
            self._size += 1
        while self._size > self._most:
            self._forget(next(iter(self._known)))
        return True

    def find(self, record: Record, request: ProofRequest) -> Cancellation | None:
        """Find the cancellation that ends a request, of several the one that came first; None if it is to be run."""
        if not self._known:
            return None
        ending = [each for each in self._candidates(record, request) if each.ends_record(record, request)]
        return min(ending, key=lambda each: each.cancelled, default=None)

    def _candidates(self, record: Record, request: ProofRequest) -> Iterator[Cancellation]:
        """Yield the cancellations that are kept in a place where this request may be named."""
        places = {
            "run": request.run,
            "group": request.group,
            "id": request.custom_id,
            "caller": callers_id(record.kafka_headers),
            "key": gateway_key(record.kafka_headers),
        }
        for kind, name in places.items():
            if name is not None:
                yield from self._indexed.get((kind, name), {}).values()

    def _forget(self, names: Names) -> None:
        del self._known[names]
        for place in _places(names):
            there = self._indexed[place]
            del there[names]
            if not there:
                del self._indexed[place]
            self._size -= 1


def _places(names: Names) -> list[tuple[str, str]]:
    """Name the places where a cancellation is kept: by its most telling condition, so that few concern a request."""
    if names.ids:
        places = [("id", each) for each in names.ids]
        # The caller's own ids are others than those on Kafka.
        return places if names.api_key is None else [*places, *(("caller", each) for each in names.ids)]
    if names.run is not None:
        return [("run", names.run)]
    if names.group is not None:
        return [("group", names.group)]
    return [("key", names.api_key or "")]


_SHOWN = 80
"""Characters of a name that are shown."""


def _short(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
