"""Decides where a replay goes on that was ended. Pure.

A replay writes down its verdicts, and how far it has read the result topic. What it had sent stands on the request
topic, under ids of its own. So whoever goes on knows of each attempt whether it is answered, unanswered, or unsent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from streamverify.core.datasets.columns import printable
from streamverify.core.messages import jsontext

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOCKS = 5 * 60_000
"""Milliseconds by which the clocks of a broker and of this machine may differ."""


def request_id(replay: str, number: int) -> str:
    """Name the request of an attempt. The name is the same whenever it is sent."""
    return f"{replay}-{number}"


def number_of(replay: str, name: str) -> int | None:
    """Return the number of the attempt with this request id; None for another sender's."""
    begin, dash, number = name.rpartition("-")
    return int(number) if dash and begin == replay and number.isascii() and number.isdigit() else None


class OpenRequest(NamedTuple):
    """A request that was sent and has no answer yet."""

    due: float | None
    """The moment from which its latency counts, on the clock of this process; None where an earlier one had sent it."""
    sent_at: int
    """The time at which it was sent, in milliseconds since the epoch."""
    key: bytes
    """The key of its record."""


class OpenRequests:
    """The requests that are unanswered, by the numbers of their attempts, in the order in which they were sent."""

    def __init__(self) -> None:
        self._open: dict[int, OpenRequest] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._open)

    def sent(self, number: int, request: OpenRequest) -> None:
        """Add the request of an attempt that is sent, or that the process before had sent."""
        self._open[number] = request

    def answered(self, number: int) -> OpenRequest | None:
        """Remove the request of an attempt; None where it was answered already: a second answer does not count."""
        return self._open.pop(number, None)

    def look_from(self, now: int) -> int:
        """Return the time from which on the request topic has every unanswered request; `now` where there is none."""
        # They are in the order in which they were sent: the first is the oldest.
        oldest = next(iter(self._open.values())).sent_at if self._open else now
        return max(0, min(oldest, now) - CLOCKS)


def where_to_read(
    stored: Mapping[int, int], beginnings: Mapping[int, int], ends: Mapping[int, int]
) -> tuple[dict[int, int], bool]:
    """Decide where to go on with reading the result topic.

    Args:
        stored: For each partition the offset up to which everything was read.
        beginnings: For each partition that there is, its first offset that is kept.
        ends: The offset of its next record.

    Returns:
        For each partition the offset to read from, and whether answers may be lost: retention has deleted unread
        records, or the topic was made anew. Then what is unanswered has to be sent again.
    """
    positions: dict[int, int] = {}
    lost = bool(set(stored) - set(ends))
    for partition, end in ends.items():
        first = beginnings[partition]
        # A partition that was added later holds answers from its beginning on.
        position = stored.get(partition, first)
        if not first <= position <= end:
            lost = True
            position = first
        positions[partition] = position
    return positions, lost


def differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Name what differs between the replay that was begun and the one that is asked for, each as `name: was, is`."""
    found: list[str] = []
    for name in dict.fromkeys([*stored, *given]):
        was, now = stored.get(name), given.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            found += [f"{name}.{each}" for each in differences(was, now)]
        elif was != now:
            found.append(f"{name}: was {_shown(was)}, is {_shown(now)}")
    return found


def _shown(value: Any) -> str:
    text = "not given" if value is None else value if isinstance(value, str) else jsontext.dumps(value).decode("utf-8")
    return printable(text, 100)
