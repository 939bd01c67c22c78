"""Shows dead letters: as JSON, as CSV, as rows of a table, and one of them in full."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Protocol

from streamverify.cli.output import one_line, plural, print_json, print_line, printable, remark
from streamverify.cli.tables import Column, CsvTable, StreamedTable
from streamverify.cli.times import rfc_3339, shown

if TYPE_CHECKING:
    from streamverify.client.dead_letters import Letter

_SHOWN_VALUE = 4_000
_MESSAGE = 200
_COLUMNS = (
    Column("letter", 10),
    Column("sent", 20),
    Column("stage", 6),
    Column("from", 24),
    Column("tries", 5, right=True),
    Column("replays", 7, right=True),
    Column("id", 16),
    Column("what was wrong", 0),
)
_SOURCE = ("topic", "partition", "offset")
_CSV = (
    "partition", "offset", "custom_id", "stage", "exception_class", "message", "attempts", "replays",
    "group", "value_bytes", "error", "sent_at", "source_topic", "source_partition", "source_offset",
)  # fmt: skip


def summary(letter: Letter) -> dict[str, Any]:
    """Make the line of JSON for a letter: everything but the request and the stack trace."""
    said: dict[str, Any] = {
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp,
        "error": letter.error or None,
    }
    content = letter.content
    if content is None:
        return said
    return said | {
        "stage": content.stage,
        "exception_class": content.exception_class,
        "message": content.message,
        "attempts": content.attempts,
        "replays": letter.replays,
        "group": content.group,
        "source": content.source.model_dump(),
        "custom_id": letter.custom_id,
        "value_bytes": None if content.value is None else len(content.value),
    }


def details(letter: Letter) -> dict[str, Any]:
    """Take the parts that `summary` leaves out. Bytes that are not UTF-8 become {"base64": …}."""
    content = letter.content
    if content is None:
        return {}
    return {
        "key": _text(content.key),
        "headers": [[name, _text(value)] for name, value in content.kafka_headers],
        "value": _text(content.value),
        "stack_trace": content.stack_trace,
    }


def _text(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}


class LetterSink(Protocol):
    """One of the forms in which letters are listed."""

    def add(self, letter: Letter) -> None:
        """Print one letter."""


class JsonLetters:
    """Each letter as a line of JSON."""

    def add(self, letter: Letter) -> None:
        """Print one letter."""
        print_json(summary(letter))


class CsvLetters:
    """The letters as CSV."""

    def __init__(self) -> None:
        self._table = CsvTable(_CSV)

    def add(self, letter: Letter) -> None:
        """Print one letter."""
        said = summary(letter)
        source = said.get("source") or {}
        self._table.add(
            *(said.get(name) for name in _CSV[:11]), rfc_3339(letter.timestamp), *(source.get(name) for name in _SOURCE)
        )


class LetterTable:
    """A row for each letter, as wide as the terminal."""

    def __init__(self) -> None:
        self._table = StreamedTable(_COLUMNS)

    def add(self, letter: Letter) -> None:
        """Print one letter."""
        name, content = f"{letter.partition}:{letter.offset}", letter.content
        if content is None:
            self._table.add(name, shown(letter.timestamp), "?", "", "", "", "", one_line(letter.error, _MESSAGE))
            return
        self._table.add(
            name,
            shown(letter.timestamp),
            content.stage,
            f"{content.source.topic}:{content.source.partition}:{content.source.offset}",
            str(content.attempts),
            str(letter.replays),
            letter.custom_id or "",
            one_line(content.message, _MESSAGE),
        )


def show_letter(letter: Letter) -> None:
    """Print all of a letter for people; a long value is cut."""
    content = letter.content
    if content is None:
        remark(letter.error)
        return
    source = content.source
    for name, text in (
        ("letter", f"{letter.partition}:{letter.offset}"),
        ("request", f"{source.topic}:{source.partition}:{source.offset}, sent {shown(source.timestamp)}"),
        (
            "stage",
            f"{content.stage}, given up by the group {content.group} after {plural(content.attempts, 'attempt')}",
        ),
        ("replays", str(letter.replays)),
        ("error", f"{content.exception_class}: {content.message}"),
        ("key", _content(content.key)),
        *((f"header {name}", _content(value)) for name, value in content.kafka_headers),
    ):
        print_line(printable(f"{name:10} {text}"))
    print_line("\n" + printable(content.stack_trace.rstrip()))
    print_line("\n" + _content(content.value))


def _content(value: bytes | None) -> str:
    """Show bytes as text if they are text, cut to a length that a person reads."""
    if value is None:
        return "(null)"
    if not value:
        return "(empty)"
    rest = f"\n({len(value):,} bytes; --json has all of them)" if len(value) > _SHOWN_VALUE else ""
    try:
        # All of it, as the cut below may go through a character.
        value.decode("utf-8")
    except UnicodeDecodeError:
        # Each byte takes up to four characters: `\\xff`.
        return f"{value[: _SHOWN_VALUE // 4]!r}{rest}"
    return printable(value[:_SHOWN_VALUE].decode("utf-8", "ignore")) + rest
