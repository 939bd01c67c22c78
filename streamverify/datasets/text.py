"""Rows of files of text: JSONL, JSON, CSV and Lean."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import orjson

from streamverify.core.datasets.columns import IDS, shown_names
from streamverify.core.errors import SourceError
from streamverify.core.messages import jsontext
from streamverify.core.topic_plans import MAX_REQUEST_BYTES
from streamverify.datasets.byte_streams import INSTALL, LFS_POINTER, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
_HEAD = 1024 * 1024
_WRAPPERS = ("proofs", "codes", "snippets", "data", "rows", "items", "problems", "samples")
"""The names under which a JSON object has the list of its rows."""
_PARQUET = b"PAR1"


class FileRow(NamedTuple):
    """One row of a file: its place there, its values, and why it could not be read."""

    place: str
    values: dict[str, Any]
    error: str | None = None


def check_text(name: str, head: bytes) -> None:
    """Refuse a file that is no text at all.

    Raises:
        SourceError: It is binary, UTF-16, or what Git LFS leaves in the place of a file.
    """
    if head.startswith(_PARQUET):
        raise SourceError(f"{name} is a Parquet file: --format parquet")
    if head.startswith(LFS_POINTER):
        raise SourceError(f"{name} is a pointer of Git LFS and not the file itself: `git lfs pull` fetches that")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{name} is UTF-16; data sets are read as UTF-8")
    if head[:4096].count(0) > max(3, len(head[:4096]) // 50):
        raise SourceError(f"{name} is binary: it is neither JSON, CSV nor Lean")


def read_jsonl(name: str, stream: BinaryIO) -> Iterator[FileRow]:
    """Read one JSON object a line; blank lines are no rows."""
    for number in itertools.count(1):
        line = stream.readline(MAX_REQUEST_BYTES)
        if not line:
            return
        place = f"{name}:{number}"
        if len(line) == MAX_REQUEST_BYTES and not line.endswith(b"\n"):
            # The rest of it is passed over, in pieces: the next row begins after its end.
            while (rest := stream.readline(MAX_REQUEST_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield FileRow(place, {}, f"the line has more than {MAX_REQUEST_BYTES:,} bytes")
            continue
        text = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
        if text:
            yield _object(place, text)


def _object(place: str, text: bytes) -> FileRow:
    try:
        value = orjson.loads(text)
        if jsontext.has_rounded_integer(value, 2):
            value = jsontext.loads_leniently(text)
    except orjson.JSONDecodeError as error:
        # Python writes NaN for what is no number, which is no JSON: a score in it must not cost the row its proof.
        try:
            value = json.loads(text.decode(), strict=True)
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeDecodeError as wrong:
            return FileRow(place, {}, f"is not UTF-8 (byte {wrong.start} of the line)")
        except UnicodeEncodeError:
            return FileRow(place, {}, "has half of a surrogate pair, which UTF-8 cannot encode")
        except (ValueError, RecursionError):
            return FileRow(place, {}, f"is not JSON: {error}")
    return _row(place, value)


def _row(place: str, value: Any) -> FileRow:
    if isinstance(value, dict):
        return FileRow(place, value)
    return FileRow(place, {}, f"is no JSON object but {jsontext.cut(json.dumps(value), 40)}")


def read_json(name: str, stream: BinaryIO) -> Iterator[FileRow]:
    """Read a JSON array of rows, an object that has it under one of `_WRAPPERS`, or what is JSONL in truth.

    It is read piece by piece: the array may be larger than memory.
    """
    head = stream.read(_HEAD)
    whole = joined(head, stream)
    begin = head.removeprefix(_BOM).lstrip()
    if head.startswith(_BOM):
        whole.read(len(_BOM))
    if begin.startswith(b"["):
        yield from _items(name, whole, "item")
        return
    if not begin.startswith(b"{"):
        raise SourceError(
            f"{name} is no JSON: it begins with {jsontext.cut(repr(begin[:20].decode(errors='replace')), 40)}"
        )
    line, _, rest = begin.partition(b"\n")
    try:
        first = orjson.loads(line)
    except orjson.JSONDecodeError:
        first = None
    if first is not None and (rest.strip() or _wrapper(first) is None):
        yield from read_jsonl(name, whole)
    elif first is not None:
        yield from _items(name, whole, f"{_wrapper(first)}.item")
    else:
        yield from _items(name, whole, f"{_find_wrapper(name, head)}.item")


def _wrapper(value: dict[str, Any]) -> str | None:
    """Name the key under which an object has rows, if it is no row itself: that may have a list of proofs, too."""
    for key in _WRAPPERS:
        items = value.get(key)
        if isinstance(items, list) and (any(isinstance(item, dict) for item in items) or not set(value) & set(IDS)):
            return key
    return None


def _find_wrapper(name: str, head: bytes) -> str:
    keys: list[str] = []
    ijson = _ijson()
    try:
        for prefix, event, value in ijson.parse(io.BytesIO(head.removeprefix(_BOM))):
            if prefix == "" and event == "map_key":
                keys.append(value)
            elif event == "start_array" and prefix in _WRAPPERS:
                return str(prefix)
    except (ijson.JSONError, UnicodeDecodeError):
        pass  # the end of the head, or of what is JSON in it
    raise SourceError(
        f"{name} is one JSON object without a list of rows under `proofs`, `codes` or `data`; "
        f"it has {shown_names(keys)}. An array of objects, or JSONL, can be read."
    )


def _items(name: str, stream: BinaryIO, prefix: str) -> Iterator[FileRow]:
    ijson = _ijson()
    number = 0
    try:
        for number, value in enumerate(ijson.items(HalvesRefused(stream), prefix, use_float=True), start=1):
            place = f"{name} item {number}"
            yield FileRow(place, {"proof": value}) if isinstance(value, str) else _row(place, value)
    except ijson.JSONError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{name} is no JSON, or is cut off, after {number:,} rows: {reason}") from None
    except UnicodeDecodeError:
        # The parser makes bytes of the escape of half a surrogate pair, and cannot go on. In JSONL it costs one row.
        raise SourceError(
            f"{name} has half of a surrogate pair, or bytes that are not UTF-8, after {number:,} rows; as JSONL it can "
            "be read without that row"
        ) from None


class HalvesRefused:
    """A stream of JSON in which the first half of a surrogate pair without the second becomes a second half.

    The parser refuses a second half alone, and puts a question mark for a first one: another proof would be verified.
    """

    _FIRST = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
    _PAIR = 12
    """Bytes of the escapes of a pair, which may lie across two reads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = b""
        self._backslashes = 0
        """The number that stood at the end of what was read before: an even number of them escapes nothing."""

    def read(self, size: int = -1) -> bytes:
        """Read bytes; none only at the end."""
        if size == 0:  # the parser asks what it is given: bytes or text
            return b""
        chunk = b"\0"
        while chunk and len(self._held) <= self._PAIR:
            chunk = self._stream.read(size)
            self._held += chunk
        end = len(self._held) - (self._PAIR if chunk else 0)

        def second_half(found: re.Match[bytes]) -> bytes:
            before = self._held[: found.start()]
            count = len(before) - len(before.rstrip(b"\\"))
            is_escaped = (count + (self._backslashes if count == len(before) else 0)) % 2
            # Near the end it is not known yet what follows.
            return found[0] if is_escaped or found.start() >= end else b"\\udc00"

        known = self._FIRST.sub(second_half, self._held)
        out, self._held = known[:end], known[end:]
        ending = len(out) - len(out.rstrip(b"\\"))
        self._backslashes = ending + (self._backslashes if ending == len(out) else 0)
        return out


def _ijson() -> Any:
    try:
        import ijson  # noqa: PLC0415 - of an extra
    except ImportError:
        raise SourceError(f"to read JSON arrays, install the extra `datasets`: {INSTALL}") from None
    return ijson


def read_csv(name: str, stream: BinaryIO, delimiter: str) -> Iterator[FileRow]:
    """Read CSV with a line of names; every value is a text."""
    # 128 KiB by default, which proofs exceed; what is larger than any request cannot be sent anyway.
    csv.field_size_limit(MAX_REQUEST_BYTES)
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    lines = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        names = next(lines, [])
        if len(set(names)) < len(names) or not all(jsontext.is_encodable(column) for column in names):
            raise SourceError(f"{name}: two columns have the same name, or one is not UTF-8: {shown_names(names)}")
        for fields in lines:
            place = f"{name}:{lines.line_num}"
            if not fields:
                continue
            if len(fields) != len(names):
                yield FileRow(place, {}, f"has {len(fields)} fields; the first line names {len(names)} columns")
            elif not all(jsontext.is_encodable(value) for value in fields):
                yield FileRow(place, {}, "is not UTF-8")
            else:
                yield FileRow(place, dict(zip(names, fields, strict=True)))
    except csv.Error as error:
        raise SourceError(f"{name}:{lines.line_num} is no CSV: {error} (a quote that is not closed?)") from None
    finally:
        text.detach()  # who opened the stream closes it


def read_lean(name: str, stream: BinaryIO) -> Iterator[FileRow]:
    """Read one file of Lean as one row: `path` and `proof`."""
    content, unread = stream.read(MAX_REQUEST_BYTES + 1), {"path": name, "proof": None}
    if len(content) > MAX_REQUEST_BYTES:
        yield FileRow(name, unread, f"has more than {MAX_REQUEST_BYTES:,} bytes")
        return
    try:
        yield FileRow(name, {"path": name, "proof": content.decode()})
    except UnicodeDecodeError as error:
        yield FileRow(name, unread, f"is not UTF-8 (byte {error.start})")
