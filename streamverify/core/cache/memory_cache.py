"""The part of the cache that is in the worker's memory: the entries used last, as many as fit into its bytes. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.cache.seal import Opened

ENTRY_OVERHEAD = 300
"""Bytes that an entry takes besides its content: name, time, and its place in the dictionary (260 measured)."""


class MemoryCache:
    """Contents by name. What was not used for the longest makes room."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of all entries together."""
        self._limit = limit
        self._entries: OrderedDict[bytes, Opened] = OrderedDict()
        self.bytes = 0
        """Bytes of all entries together."""

    def __len__(self) -> int:
        """The number of entries."""
        return len(self._entries)

    def get(self, name: bytes, now: float, max_age: float) -> Opened | None:
        """Return an entry that is not older than `max_age` seconds; an older one is forgotten."""
        found = self._entries.get(name)
        if found is None:
            return None
        if now - found.created > max_age:
            self._forget(name)
            return None
        self._entries.move_to_end(name)
        return found

    def put(self, name: bytes, entry: Opened) -> None:
        """Keep an entry, in place of one of the same name. One that would take an eighth of the room is not kept."""
        self._forget(name)
        size = len(entry.content) + ENTRY_OVERHEAD
        # It would drive out too many others.
        if size > self._limit // 8:
            return
        self._entries[name] = entry
        self.bytes += size
        while self.bytes > self._limit:
            self._forget(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.bytes = 0

    def entries(self) -> Mapping[bytes, Opened]:
        """The entries, that which was not used for the longest first."""
        return self._entries

    def _forget(self, name: bytes) -> None:
        gone = self._entries.pop(name, None)
        if gone is not None:
            self.bytes -= len(gone.content) + ENTRY_OVERHEAD
