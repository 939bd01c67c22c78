"""Estimates how long a worker needs for what waits in its partitions. Pure: no clock, no Kafka; `now` is passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RECENT_ANSWERS = 1_000
"""Answers that the mean time of a record is mostly made of: older ones count less and less."""
STALE = 30.0
"""Seconds for which the brokers' word on the end of a partition is good."""


def backlog_seconds(records: int, mean: float | None, slots: int) -> float | None:
    """Estimate how long slots need for a backlog: records x mean slot time of a record / slots.

    This is the rule of a worker's metric (`Backlog`) and of a group's `top` (`core/overview/build.py`). Only the mean
    differs: a worker knows its answers one by one, `top` knows what the workers' statuses have counted. The page of a
    gateway has another rule (`seconds_at_rate` in `core/gateway/live.py`), because a gateway knows no slot of any
    worker.

    Args:
        records: The records that wait.
        mean: Seconds that a record occupies a slot; answers from the cache take none, and make it smaller.
        slots: The proofs that run at once.

    Returns:
        None where the mean is not known, or nothing runs proofs.
    """
    return records * mean / slots if slots and mean is not None else None


class Backlog:
    """The backlog of one worker: records, and the seconds that its slots need for them.

    - The mean is the time of the slots by the records answered, so answers from the cache make it smaller, and tries
      that came to nothing larger. Imports are no part of it: they are paid once for a header, and the imports of a
      worker that has just started would make it seem to need hours.
    - No backlog takes no time, whatever is known. With a backlog, and before the first answer, the time is not known,
      and nothing is assumed: an invented mean would scale a fleet.
    - Where no broker has said for `STALE` seconds where a partition ends, the backlog is not known.
    """

    def __init__(self, slots: int) -> None:
        """Begin without any answer; `slots` is the number of proofs that the worker runs at once."""
        self._slots = slots
        self._ends: dict[int, tuple[int, float]] = {}
        self._seen_seconds = 0.0
        self._seen_answers = 0
        self._seconds = 0.0
        self._answers = 0.0

    def heard(self, ends: Mapping[int, int], now: float) -> None:
        """Take note of where these partitions end, as the brokers say: one past the offset of the last record."""
        # Partitions that are gone are forgotten: the worker that gets one back asks again.
        self._ends = {partition: (end, now) for partition, end in ends.items()}

    def worked(self, slot_seconds: float, answers: int) -> None:
        """Take note of the totals since the start: seconds of the slots without imports, and records answered."""
        new = answers - self._seen_answers
        if not new:
            # Slots have worked on what is not answered yet: that time counts with the answers that come of it.
            return
        # What comes together counts as if it had come one after the other.
        fade = (1 - 1 / RECENT_ANSWERS) ** new
        self._seconds = self._seconds * fade + (slot_seconds - self._seen_seconds)
        self._answers = self._answers * fade + new
        self._seen_seconds, self._seen_answers = slot_seconds, answers

    def lag(self, positions: Mapping[int, int], now: float) -> dict[int, int] | None:
        """Count the records of each partition from a position on; None where the end of one is not known."""
        lag = {}
        for partition, position in positions.items():
            end, heard = self._ends.get(partition, (0, -STALE))
            if now - heard >= STALE:
                return None
            lag[partition] = max(0, end - position)
        return lag

    def records(self, positions: Mapping[int, int], in_flight: int, now: float) -> int | None:
        """Count the records without a committed answer; None where the end of a partition is not known.

        Args:
            positions: The partitions of the worker, and the next offset of each.
            in_flight: Records that were fetched, and whose answers are not committed.
            now: Monotonic seconds.
        """
        lag = self.lag(positions, now)
        return None if lag is None else sum(lag.values()) + in_flight

    def seconds(self, records: int | None) -> float | None:
        """Estimate the time that the slots need for so many records; None where it is not known."""
        if records is None:
            return None
        if records == 0:
            # Also before the first answer: a fleet that is scaled by this has to be able to shrink to nothing.
            return 0.0
        return backlog_seconds(records, self._seconds / self._answers if self._answers else None, self._slots)
