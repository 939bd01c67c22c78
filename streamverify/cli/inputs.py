"""Reads requests from what a user names on the command line: JSONL, `.lean` files, folders, standard input.

How large a proof may be is not known here: the topic and the worker have their limits, and say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import orjson

from streamverify.cli.errors import InputError
from streamverify.core.errors import InvalidRequest, UndecodableRequest
from streamverify.core.messages.codec import ANY_SIZE, decode_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
    from typing import BinaryIO, Literal

    from streamverify.core.messages.models import ProofRequest

_T = TypeVar("_T")

STDIN = "-"
_LEAN = ".lean"
_JSONL = frozenset({".jsonl", ".ndjson"})
_BOM = b"\xef\xbb\xbf"
_READ_AHEAD = 1024
_UNUSABLE = (InvalidRequest, UndecodableRequest)


@dataclass(frozen=True, slots=True)
class Item:
    """One request, or the reason why there is none. `where` is `file` or `file:line`; `size` is in bytes."""

    where: str
    size: int
    request: ProofRequest | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """The values of the command line that replace those of every request."""

    timeout: float | None = None
    require: Literal["checked", "audited"] | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not (self.timeout > 0 and math.isfinite(self.timeout)):
            raise InputError(f"--timeout must be a number of seconds above 0, not {self.timeout:g}")

    def apply(self, request: ProofRequest) -> ProofRequest:
        """Make the request that is sent."""
        given = {"timeout": self.timeout, "require": self.require}
        changed = {name: value for name, value in given.items() if value is not None}
        return request.model_copy(update=changed) if changed else request


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files that were named, and those in the folders that were named."""

    files: tuple[Path, ...]
    overrides: Overrides = field(default_factory=Overrides)

    @classmethod
    def find(cls, names: Sequence[str], overrides: Overrides) -> Inputs:
        """Find everything that was named, before anything is sent.

        Raises:
            InputError: Something is not there, or a folder has no proofs.
        """
        files = [file for name in names for file in _find(name)]
        return cls(tuple(dict.fromkeys(files)), overrides)

    @property
    def total(self) -> int | None:
        """The number of bytes to read; None if stdin or a pipe is among the files."""
        if any(str(file) == STDIN or not file.is_file() for file in self.files):
            return None
        return sum(file.stat().st_size for file in self.files)

    def read(self) -> Iterator[Item]:
        """Yield every request, in the order of the files. An item that is no request has an error instead."""
        for file in self.files:
            if str(file) == STDIN:
                yield from self._read_stream(_stdin(), "stdin", jsonl=None)
                continue
            try:
                with file.open("rb") as stream:
                    yield from self._read_stream(stream, file.as_posix(), jsonl=_is_jsonl(file))
            except OSError as error:
                yield Item(file.as_posix(), 0, error=f"cannot be read: {error.strerror}")

    def _read_stream(self, stream: BinaryIO, name: str, *, jsonl: bool | None) -> Iterator[Item]:
        if jsonl is False:
            yield self._lean(stream.read(), name)
            return
        blank = b""
        for number, line in enumerate(stream, start=1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if not text.strip():
                blank += line if jsonl is None else b""
                continue
            if jsonl is None and not text.lstrip().startswith(b"{"):
                # Nothing in Lean starts with a brace, so this is no JSONL but a Lean file.
                yield self._lean(blank + line + stream.read(), name)
                return
            jsonl = True
            yield self._item(text.strip(), f"{name}:{number}", len(line))

    def _lean(self, content: bytes, name: str) -> Item:
        try:
            value = orjson.dumps({"custom_id": name, "proof": content.decode("utf-8")})
        except UnicodeDecodeError as error:
            return Item(name, len(content), error=f"is not UTF-8 (byte {error.start})")
        except orjson.JSONEncodeError:
            return Item(printable_name(name), len(content), error="its name is not UTF-8")
        return self._item(value, name, len(content))

    def _item(self, value: bytes, where: str, size: int) -> Item:
        try:
            request = decode_request(value, limits=ANY_SIZE)
        except _UNUSABLE as error:
            return Item(where, size, error=str(error))
        return Item(where, size, self.overrides.apply(request))


def printable_name(name: str) -> str:
    """Make the name of a file printable, as it may have bytes that are not UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


async def in_thread(items: Iterable[_T]) -> AsyncIterator[_T]:
    """Iterate in a thread, so that a slow pipe stops neither the sending nor Ctrl-C."""
    arrived: asyncio.Queue[_Arrival[_T]] = asyncio.Queue()
    room = threading.Semaphore(_READ_AHEAD)
    reader = partial(_read_into, asyncio.get_running_loop(), arrived, room, items)
    # A daemon, so that Ctrl-C need not wait for the other end of a pipe.
    threading.Thread(target=reader, name="read-input", daemon=True).start()
    while True:
        arrival = await arrived.get()
        if arrival.error is not None:
            raise arrival.error
        if not arrival.items:
            return
        room.release()
        yield arrival.items[0]


@dataclass(frozen=True, slots=True)
class _Arrival(Generic[_T]):
    """One item that the thread has read, or an error, or neither at the end."""

    items: tuple[_T, ...] = ()
    error: Exception | None = None


def _read_into(
    loop: asyncio.AbstractEventLoop,
    arrived: asyncio.Queue[_Arrival[_T]],
    room: threading.Semaphore,
    items: Iterable[_T],
) -> None:
    def put(arrival: _Arrival[_T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            loop.call_soon_threadsafe(arrived.put_nowait, arrival)

    try:
        for item in items:
            room.acquire()
            put(_Arrival((item,)))
    except Exception as error:  # noqa: BLE001 - raised again where the items are read
        put(_Arrival(error=error))
    else:
        put(_Arrival())


def _find(name: str) -> Iterator[Path]:
    path = Path(name)
    if name == STDIN:
        yield path
    elif path.is_dir():
        found = sorted(_in_folder(path))
        if not found:
            raise InputError(f"the folder {name} has no .lean or .jsonl file")
        yield from found
    elif path.exists():
        yield path
    else:
        raise InputError(f"there is no file or folder {name}")


def _in_folder(folder: Path) -> Iterator[Path]:
    """Yield `.lean` and `.jsonl` files at any depth, but nothing hidden, such as the `.lake` folder."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found = (Path(parent, name) for name in files if not name.startswith("."))
        yield from (file for file in found if file.suffix in {_LEAN, *_JSONL})


def _is_jsonl(file: Path) -> bool | None:
    """Tell by the name of a file whether it is JSONL; None if only its content says so."""
    if file.suffix == _LEAN:
        return False
    return True if file.suffix in _JSONL else None


def _stdin() -> BinaryIO:
    try:
        # A file object of our own: a daemon thread that waits in sys.stdin would break the exit of the interpreter.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except OSError:
        return sys.stdin.buffer  # sys.stdin was replaced, as a test does
