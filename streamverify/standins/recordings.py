"""Recorded answers of a real Lean, read from a JSONL file, and found again however the text was cut and padded.

A recording is found by its canonical header and its body from the first token on: how much of what stands before that,
white space and comments, a driver sends with the body is its own affair. The answer comes from
`file_response`, whose positions are those of the recorded file; they are moved to where the body stands in the text
that was sent. Pure but for `load`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from streamverify.core.errors import HeaderError, SettingsError
from streamverify.core.syntax.header import parse_header
from streamverify.core.syntax.lexer import position
from streamverify.standins.loop import first_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "proof": str,
    "file_response": dict,
    "header": str,
    "header_response": dict,
    "header_seconds": (int, float),
    "body": str,
    "body_response": dict,
    "body_seconds": (int, float),
}
"""The fields that a line must have; it may have more."""


class RecordedAnswer(NamedTuple):
    """An answer, and the seconds that Lean took for it. `response` is shared: not to be changed."""

    response: Mapping[str, Any]
    seconds: float


class _Body(NamedTuple):
    """A recorded body: where it starts in the recorded file, and the answers to it alone and to the whole file."""

    start: tuple[int, int]
    alone: RecordedAnswer
    whole: RecordedAnswer


class Recordings:
    """Finds the answers to headers, bodies and whole files. Of two recordings of the same, the first counts."""

    def __init__(self, recordings: Iterable[Mapping[str, Any]] = ()) -> None:
        self._headers: dict[str, RecordedAnswer] = {}
        self._bodies: dict[tuple[str, str], _Body] = {}
        self._files: dict[str, RecordedAnswer] = {}
        for recording in recordings:
            self.add(recording)

    def add(self, recording: Mapping[str, Any]) -> None:
        """Add one line of the file, already checked."""
        proof = recording["proof"]
        header_seconds, body_seconds = recording["header_seconds"], recording["body_seconds"]
        whole = RecordedAnswer(recording["file_response"], header_seconds + body_seconds)
        self._files.setdefault(proof, whole)
        try:
            header = parse_header(proof)
        except HeaderError:
            return  # no driver cuts a file whose header it cannot read
        self._headers.setdefault(header.canonical, RecordedAnswer(recording["header_response"], header_seconds))
        alone = RecordedAnswer(without(recording["file_response"], recording["header_response"]), body_seconds)
        # A driver cuts a file where its own parser ends the header, which may be before or behind the recorded cut.
        for text in (proof[header.end :], recording["body"]):
            key = text[first_token(text) :]
            body = _Body(position(proof, len(proof) - len(key)), alone, whole)
            self._bodies.setdefault((header.canonical, key), body)

    def header(self, canonical: str) -> RecordedAnswer | None:
        """Return the answer to an import command; positions as recorded."""
        return self._headers.get(canonical)

    def body(self, canonical: str, text: str) -> RecordedAnswer | None:
        """Return the answer to `text` in an environment with that header, positions as `text` has them."""
        rest = text[first_token(text) :]
        body = self._bodies.get((canonical, rest))
        return body and _moved(body.alone, body.start, text, len(rest))

    def file(self, text: str) -> RecordedAnswer | None:
        """Return the answer to a whole file as one command, or to an import command; positions as `text` has them."""
        if recorded := self._files.get(text):
            return recorded
        try:
            header = parse_header(text)
        except HeaderError:
            return None
        if header.end == len(text):
            return self.header(header.canonical)
        rest = text[header.end :]
        body = self._bodies.get((header.canonical, rest))
        return body and _moved(body.whole, body.start, text, len(rest))


def _moved(answer: RecordedAnswer, start: tuple[int, int], text: str, length: int) -> RecordedAnswer:
    """Return the answer for a body that is the last `length` code points of `text` and was recorded at `start`."""
    to = position(text, len(text) - length)
    return answer if to == start else RecordedAnswer(move(answer.response, start, to), answer.seconds)


def move(value: Any, start: tuple[int, int], to: tuple[int, int]) -> Any:
    """Return a JSON value with every position in a body that began at `start` moved for one that begins at `to`.

    Lines count from 1, columns from 0. Only the body's first line moves sideways; positions before the body, which
    belong to the header, stay where they are.
    """
    if type(value) is list:
        return [move(item, start, to) for item in value]
    if type(value) is not dict:
        return value
    if value.keys() != {"line", "column"}:
        return {name: move(item, start, to) for name, item in value.items()}
    line, column = value["line"], value["column"]
    if (line, column) < start:
        return value
    sideways = to[1] - start[1] if line == start[0] else 0
    return {"line": line + to[0] - start[0], "column": column + sideways}


def without(response: Mapping[str, Any], header_response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the answer to a whole file, less the messages with which its header alone was answered."""
    of_header = [_gist(item) for item in header_response.get("messages", ())]
    if not of_header:
        return response
    # Each only once: the body may have brought the same message again.
    kept = []
    for item in response.get("messages", ()):
        if _gist(item) in of_header:
            of_header.remove(_gist(item))
        else:
            kept.append(item)
    return {**response, "messages": kept}


def _gist(item: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the parts by which two messages are the same one, wherever the header stood."""
    return item.get("severity"), item.get("data")


def load(path: Path) -> Recordings:
    """Read the recordings in a file. Raises SettingsError, with the line, where it cannot be read as such."""
    recordings = Recordings()
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the recordings: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            recordings.add(_checked(line, f"{path}:{number}"))
    return recordings


def _checked(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        recording = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"{where}: not JSON: {error}") from error
    if type(recording) is not dict:
        raise SettingsError(f"{where}: a recording is an object with the fields {', '.join(FIELDS)}")
    for name, kind in FIELDS.items():
        if not isinstance(recording.get(name), kind):
            raise SettingsError(f"{where}: the field {name!r} is missing or of the wrong type")
    return recording
