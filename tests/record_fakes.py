"""Stand-ins for the records that aiokafka hands out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class FakeRecord:
    """A record as aiokafka gives it: the first of its partition, and of now, unless a test says otherwise."""

    value: bytes | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    topic: str = "lean.results"
    partition: int = 0
    offset: int = 0
    timestamp: int = field(default_factory=lambda: int(time.time() * 1000))
    """Milliseconds since the epoch."""
