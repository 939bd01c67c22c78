"""Knows which ids were given before, in memory that does not grow with the data set."""

from __future__ import annotations

import hashlib
import struct

_SIZES = (2**20, 2**25, 2**29)
"""Bits of the tables, each of which is begun when the one before is full: 128 KiB, 4 MiB and 64 MiB."""
_BITS_EACH = 128
"""Bits of a table for each id in it, as each table is asked for every id to come; the last one takes any number."""
_PROBES = 8


class SeenIds:
    """Bloom filters: an id that was added is always known; one that was not is taken for known hardly ever.

    Of ten million ids that are all new one is mistaken with a chance of about 15 %; at the end of a hundred million one
    of eight is. Such an id gets the number of its row, as one does that is there twice: nothing is lost by it.
    """

    def __init__(self) -> None:
        self._tables = [bytearray(_SIZES[0] // 8)]
        self._room = _SIZES[0] // _BITS_EACH

    def add(self, name: str) -> bool:
        """Add an id; tell whether it was there before."""
        digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=4 * _PROBES).digest()
        positions = struct.unpack(f"<{_PROBES}I", digest)
        for table in self._tables:
            places = [position % (len(table) * 8) for position in positions]
            if all(table[place >> 3] >> (place & 7) & 1 for place in places):
                return True
        # Small sets stay small: the next table is begun only when this one is full.
        if self._room == 0 and len(self._tables) < len(_SIZES):
            size = _SIZES[len(self._tables)]
            self._tables.append(bytearray(size // 8))
            self._room = size // _BITS_EACH
        table, bits = self._tables[-1], len(self._tables[-1]) * 8
        for position in positions:
            place = position % bits
            table[place >> 3] |= 1 << (place & 7)
        self._room -= 1
        return False
