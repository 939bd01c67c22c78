"""Bytes of a file, decompressed where they are compressed, and the errors that this can meet, in words."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from streamverify.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INSTALL = "pip install 'streamverify[datasets]'"
_BUFFER = 1024 * 1024
_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def open_stream(path: Path | None) -> tuple[BinaryIO, BinaryIO]:
    """Open a file, or standard input for None.

    What it begins with decides whether it is compressed, not its name: standard input has none, and names can be wrong.

    Returns:
        The stream of what is in it, and the stream of the file itself, whose position tells how far it was read.
    """
    file = sys.stdin.fileno() if path is None else path
    raw = cast("io.BufferedReader", open(file, "rb", _BUFFER, closefd=path is not None))  # noqa: SIM115
    begin = raw.peek(16)[:16]
    if begin.startswith(_GZIP):
        return joined(b"", gzip.GzipFile(fileobj=raw)), raw
    if begin.startswith(_BZIP2) and begin[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        # Three bytes are a word of text, too: the next say that a block, or the end, follows.
        return joined(b"", bz2.BZ2File(raw)), raw
    if begin.startswith(_XZ):
        return joined(b"", lzma.LZMAFile(raw)), raw
    if begin.startswith(_ZSTD):
        return joined(b"", _zstd().ZstdFile(raw)), raw
    return raw, raw


def _zstd() -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - only there from that version on
        else:
            from backports import zstd  # noqa: PLC0415 - of an extra that few need
    except ImportError:
        raise SourceError(f"to read Zstandard, install the extra `datasets`: {INSTALL}") from None
    return zstd


@contextmanager
def reading(name: str, how_far: Callable[[], str]) -> Iterator[None]:
    """Turn what can go wrong while a file is read into a sentence that says which file, and after which row."""
    try:
        yield
    except EOFError:
        raise SourceError(f"{name} is cut off{how_far()}: its compressed data end too soon") from None
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{name} is damaged{how_far()}: {error}") from None
    except OSError as error:
        # bz2 and pyarrow raise OSError without a number for data that are wrong.
        what = "cannot be read" if error.errno else "is damaged"
        raise SourceError(
            f"{name} {what}{how_far()}: {error.strerror or (str(error).splitlines() or ['no reason given'])[0]}"
        ) from None
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # the module is only imported where it is needed
            raise
        raise SourceError(f"{name} is damaged{how_far()}: {error}") from None


def joined(begin: bytes, rest: Any) -> io.BufferedReader:
    """Make a stream of the beginning of one, which was read already, and its rest: a pipe cannot be read twice."""
    return io.BufferedReader(_Joined(begin, rest), _BUFFER)


class _Joined(io.RawIOBase):
    """Gives what is there as soon as it is there: of a file that is cut off all but the last bytes can be read."""

    def __init__(self, begin: bytes, rest: Any) -> None:
        self._begin = memoryview(begin)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._begin:
            size = min(len(buffer), len(self._begin))
            buffer[:size], self._begin = self._begin[:size], self._begin[size:]
            return size
        data = self._rest.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)
