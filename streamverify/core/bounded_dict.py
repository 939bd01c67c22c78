"""A dict that forgets: what is learnt of names that others choose must not grow for as long as the process runs."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(OrderedDict[K, V]):
    """Has at most `limit` entries: where a new one is one too many, the entry that was written longest ago is dropped.

    An entry that is written again counts as new. Where reading counts as well, the reader calls `move_to_end`.
    """

    def __init__(self, limit: int) -> None:
        """Begin without entries; `limit` is at least 1."""
        # An OrderedDict, as it finds its first key at once; a dict passes over all that were deleted in front of it.
        super().__init__()
        self.limit = limit

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self.limit:
            self.popitem(last=False)
