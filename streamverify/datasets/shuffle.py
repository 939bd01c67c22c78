"""`--shuffle`: rows in an order that depends on the seed and on their numbers only, whatever the memory.

Rows are sorted by a keyed hash of their index. So the order is the same each time, on each machine and for each format;
rows that are added at the end of a set go between the others without changing their order; and the first rows of it are
a sample of the set. What does not fit into memory is sorted in pieces, in temporary files (`TMPDIR`), which are merged.
"""

from __future__ import annotations

import hashlib
import heapq
import pickle
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, cast

from streamverify.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamverify.core.datasets.row import Row

_PIECE = 64 * 1024 * 1024
"""Bytes of rows, as they are written, in one piece."""
_OPEN_FILES = 100
_Keyed = tuple[int, bytes]


def shuffled(rows: Iterable[Row], seed: int, first: int | None = None, piece: int = _PIECE) -> Iterator[Row]:
    """Give rows in the order of a seed.

    Args:
        rows: The rows.
        seed: Another seed is another order.
        first: The number of rows that are wanted; None for all. Few of many are found without temporary files.
        piece: Bytes of rows that are held in memory.

    Raises:
        SourceError: There is no room for the temporary files.
    """
    # Any seed is a key of full length: neighbouring seeds give unlike orders.
    key = hashlib.blake2b(f"{seed}".encode(), digest_size=32).digest()
    with ExitStack() as files:
        pieces: list[Iterable[_Keyed]] = []
        held: list[_Keyed] = []
        size = 0
        for row in rows:
            data = pickle.dumps(row, pickle.HIGHEST_PROTOCOL)
            held.append((_place(key, row.index), data))
            size += len(data)
            if size < piece:
                continue
            held.sort()
            # Of the rows so far only these can be among the wanted ones.
            if first is not None and len(held) > first:
                del held[first:]
                size = sum(len(data) for _, data in held)
                if size < piece // 2:
                    continue
            pieces.append(_write(held, files))
            held, size = [], 0
            if len(pieces) == _OPEN_FILES:
                # As many files as that are merged into one: a process may not have any number of them open.
                pieces = [_write(heapq.merge(*pieces), files)]
        held.sort()
        for _, data in heapq.merge(*pieces, held):
            yield pickle.loads(data)  # noqa: S301 - from our own memory, or a file that has no name


def _place(key: bytes, index: int) -> int:
    return int.from_bytes(hashlib.blake2b(index.to_bytes(8, "big"), digest_size=16, key=key).digest(), "big")


def _write(rows: Iterable[_Keyed], files: ExitStack) -> Iterator[_Keyed]:
    count = 0
    try:
        file = files.enter_context(tempfile.TemporaryFile(prefix="streamverify-shuffle-"))  # noqa: SIM115 - closed by `files`
        for row in rows:
            pickle.dump(row, file, pickle.HIGHEST_PROTOCOL)
            count += 1
        file.seek(0)
    except OSError as error:
        raise SourceError(f"--shuffle needs room in {tempfile.gettempdir()} (TMPDIR): {error.strerror}") from None
    return _read(cast("BinaryIO", file), count)


def _read(file: BinaryIO, count: int) -> Iterator[_Keyed]:
    for _ in range(count):
        yield pickle.load(file)  # noqa: S301 - we have written it, and it has no name
