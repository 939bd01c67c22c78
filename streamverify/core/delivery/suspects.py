"""The records of a partition that may have killed the worker that had it before. Pure: no I/O, no clock."""

from __future__ import annotations

PROBATION = 1_000
"""Records that a worker which died may have had in flight: as many as admission lets in."""


class Suspects:
    """The suspects among the records of one partition. It is true while there are any, or any may still come.

    Under suspicion are the records with an attempt that a commit counted. Where there are any, the commit was open
    or its offset map cannot be read, its worker may have died of a record that the map does not list: then the
    next `PROBATION` records that are new are suspects, too.
    """

    def __init__(self, attempted: set[int], *, quarantined: bool) -> None:
        """Suspect the offsets whose attempt was committed; `quarantined`: the commit was open, or unreadable."""
        self._offsets = attempted
        self._probation = PROBATION if quarantined or attempted else 0

    def __bool__(self) -> bool:
        return bool(self._probation or self._offsets)

    def delivered(self, offset: int) -> None:
        """A record that is to be worked on was delivered."""
        if self._probation:
            self._probation -= 1
            self._offsets.add(offset)

    def clear(self, offset: int) -> None:
        """A record has ended, or does not exist any more."""
        self._offsets.discard(offset)
