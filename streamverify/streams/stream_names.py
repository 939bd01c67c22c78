"""Names what a process around Faust reads and keeps. Knows neither Faust nor Kafka."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamverify.core.metrics.metric import Process


@dataclass(frozen=True, slots=True)
class StreamNames:
    """One topic, read by a group of processes that keep one table of it."""

    process: Process
    """The kind of process: its name is for people, for its client id and for its metrics."""
    group: str
    """The consumer group; the name of its changelog begins with it, too."""
    source: str
    """The topic that is read."""
    table: str
    """The name of the table, and a part of its changelog's name."""
    changelog: str
    """The topic with the table, of as many partitions as `source`."""
    drains: str
    """The sentence of `/ready` that says what the process does while it drains."""
