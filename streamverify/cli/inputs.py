"""Reads requests from what a user names on the command line: JSONL, `.lean` files, folders, standard input."""

from __future__ import annotations

import itertools
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from streamverify.cli.errors import InputError
from streamverify.cli.output import in_a_line
from streamverify.cli.overrides import ColumnNames, Overrides
from streamverify.core.errors import InvalidRequest, RequestTooLarge, UndecodableRequest
from streamverify.core.topic_plans import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from streamverify.core.messages.codec import RequestLimits
    from streamverify.core.messages.models import ProofRequest

Form = Literal["lean", "jsonl"]

STDIN = "-"
_LEAN = ".lean"
_JSONL = frozenset({".jsonl", ".ndjson"})
_BOM = b"\xef\xbb\xbf"
_MAX_LINE = 16 * 1024 * 1024
_ESCAPED = 6
"""Bytes that JSON takes at most for one of a proof. With `_MAX_LINE` for all else a request fits into a line; no
broker takes a longer one than MAX_REQUEST_BYTES."""
_ARRAY = "this is a JSON array, and JSONL has one object in each line: convert it with `jq -c '.[]'`"
_UNUSABLE = (InvalidRequest, RequestTooLarge, UndecodableRequest)


@dataclass(frozen=True, slots=True)
class Item:
    """One request, or the reason why there is none. `where` is `file` or `file:line`; `size` is in bytes."""

    where: str
    size: int
    request: ProofRequest | None = None
    error: str | None = None
    remark: str | None = None
    """The guess that was needed to read it, in words; None where nothing had to be guessed."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files that were named, and those in the folders that were named."""

    files: tuple[Path, ...]
    limits: RequestLimits
    overrides: Overrides = field(default_factory=Overrides)
    columns: ColumnNames = field(default_factory=ColumnNames)
    form: Form | None = None
    """The format of every file; None: its name says so, or its first line where it has no name (a pipe)."""
    limit: int | None = None
    """The number of items after which nothing more is read."""
    say: Callable[[str], None] = field(default=lambda _remark: None)
    """Takes what had to be guessed: a sentence for people."""

    @classmethod
    def find(cls, names: Sequence[str], limits: RequestLimits, overrides: Overrides, **others: Any) -> Inputs:
        """Find everything that was named, before anything is sent.

        Args:
            names: Files and folders; `-` is standard input.
            limits: What a request may have at most.
            overrides: What is said of every request.
            others: The further fields of this class.

        Raises:
            InputError: Something is not there, a folder has no proofs, or a file is neither Lean nor JSONL.
        """
        files = [file for name in names for file in _find(name, others.get("form"))]
        return cls(tuple(dict.fromkeys(files)), limits, overrides, **others)

    @property
    def total(self) -> int | None:
        """The number of bytes that will be read; it is None if stdin or a pipe is among the files."""
        if any(str(file) == STDIN or not file.is_file() for file in self.files):
            return None
        return sum(file.stat().st_size for file in self.files)

    def read(self) -> Iterator[Item]:
        """Yield every request, in the order of the files. An item that is no request has an error instead."""
        # One by one, so that an input of any length fits into memory; a remark that all lines would have is said once.
        said: set[str] = set()
        for item in itertools.islice(self._read(), self.limit):
            if item.remark and item.remark not in said:
                said.add(item.remark)
                self.say(f"{item.where}: {item.remark}")
            yield item

    def _read(self) -> Iterator[Item]:
        for file in self.files:
            if str(file) == STDIN:
                yield from self._read_stream(_stdin(), "stdin", self.form)
                continue
            try:
                with file.open("rb") as stream:
                    yield from self._read_stream(stream, file.as_posix(), self.form or _form_by_name(file))
            except OSError as error:
                yield Item(printable_name(file.as_posix()), 0, error=f"cannot be read: {error.strerror}")

    def _read_stream(self, stream: BinaryIO, name: str, form: Form | None) -> Iterator[Item]:
        if form == "lean":
            yield self._lean(b"", stream, name)
            return
        # Blank lines before the first word are kept: if it turns out to be Lean, its line numbers count them.
        blank = b""
        longest = min(_MAX_LINE + _ESCAPED * self.limits.max_proof_bytes, MAX_REQUEST_BYTES)
        for number, (line, whole) in enumerate(_lines(stream, longest), start=1):
            where = f"{printable_name(name)}:{number}"
            if not whole:
                yield Item(where, len(line), error=f"the line has more than {longest:,} bytes")
                continue
            text = line.removeprefix(_BOM) if number == 1 else line
            if not text.strip():
                blank += line if form is None and len(blank) < self.limits.max_proof_bytes else b""
                continue
            if form is None and text.lstrip().startswith(b"["):
                yield Item(where, len(line), error=_ARRAY)
                return
            if form is None and not text.lstrip().startswith(b"{"):
                # Nothing in Lean starts with a brace, so this is no JSONL but a Lean file.
                yield self._lean(blank + line, stream, name)
                return
            form = "jsonl"
            yield self._item(text.strip(), where, len(line))

    def _lean(self, begin: bytes, stream: BinaryIO, name: str) -> Item:
        content = begin + stream.read(self.limits.max_proof_bytes + 1)
        where = printable_name(name)
        try:
            # A file that is too large may have been cut within a character.
            text = content.decode("utf-8", "ignore" if len(content) > self.limits.max_proof_bytes else "strict")
            value = orjson.dumps({"custom_id": name, "proof": text})
        except UnicodeDecodeError as error:
            return Item(where, len(content), error=f"is not UTF-8 (byte {error.start})")
        except orjson.JSONEncodeError:
            return Item(where, len(content), error="its name is not UTF-8")
        if len(content) > self.limits.max_proof_bytes:
            most = self.limits.max_proof_bytes
            return Item(where, len(content), error=f"has more than {most:,} bytes, which no setting allows")
        return self._item(value, where, len(content))

    def _item(self, value: bytes, where: str, size: int) -> Item:
        try:
            request, remark = self.columns.read(value, self.limits)
            return Item(where, size, self.overrides.apply(request, self.limits), remark=remark)
        except _UNUSABLE as error:
            return Item(where, size, error=str(error))


def _lines(stream: BinaryIO, longest: int) -> Iterator[tuple[bytes, bool]]:
    """Yield each line, and whether it is whole: of one that is longer than a request can be only the beginning."""
    while line := stream.readline(longest):
        whole = len(line) < longest or line.endswith(b"\n")
        yield line, whole
        rest = line
        while not whole and rest and not rest.endswith(b"\n"):
            rest = stream.readline(longest)


def printable_name(name: str) -> str:
    """Make the name of a file fit for one line: it may have line breaks, and bytes that are not UTF-8."""
    return in_a_line(name.encode("utf-8", "replace").decode("utf-8"))


def _find(name: str, form: Form | None) -> Iterator[Path]:
    path = Path(name)
    if name == STDIN:
        yield path
    elif not name:
        raise InputError("the name of a file is empty")
    elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir fails for a name that is too long
        found = sorted(_in_folder(path))
        if not found:
            raise InputError(f"the folder {printable_name(name)} has no .lean or .jsonl file")
        yield from found
    elif not os.path.exists(path):  # noqa: PTH110 - as above
        raise InputError(f"there is no file or folder {printable_name(name)}")
    elif form is None and path.is_file() and _form_by_name(path) is None:
        raise InputError(
            f"{printable_name(name)} is neither .lean nor .jsonl: say what it is with --format lean or --format jsonl"
        )
    else:
        yield path


def _in_folder(folder: Path) -> Iterator[Path]:
    """Yield `.lean` and `.jsonl` files at any depth, but nothing hidden, such as the `.lake` folder."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found = (Path(parent, name) for name in files if not name.startswith("."))
        yield from (file for file in found if _form_by_name(file) is not None)


def _form_by_name(file: Path) -> Form | None:
    """Tell by the name of a file what it is; None if the name does not say so."""
    ending = file.suffix.lower()
    if ending == _LEAN:
        return "lean"
    return "jsonl" if ending in _JSONL else None


def _stdin() -> BinaryIO:
    try:
        # A file object of our own: a daemon thread that waits in sys.stdin would break the exit of the interpreter.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except OSError:
        return sys.stdin.buffer  # sys.stdin was replaced, as a test does
