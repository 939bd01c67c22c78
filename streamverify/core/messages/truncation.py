"""Cuts a result that is too large for its topic, part by part, and says in `truncated` what is missing.

A result is written in pieces of JSON, so that a piece can be left out without writing the others again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from streamverify.core.messages import jsontext
from streamverify.core.messages.models import Status, Timings

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult

PARTS = (
    "infotree",
    "tactics",
    "other",
    "theorem_types",
    "sorries",
    "messages",
    "findings",
    "theorems",
    "headers",
    "metadata",
)
"""The parts that `ProofResult.truncated` can name, in the order in which they are cut.

`other` stands for the fields of the REPL's answer that we do not know; `headers` are the Kafka headers that were copied
from the request.
"""

# Code points of what is never left out. With these `codec.MIN_LIMIT` is enough for every result.
_MAX_SENTENCE = 500
_MAX_WORKER = 128
_MAX_VERSION = 64
_MAX_TRUNCATED = 16
_MAX_NAME = 64
"""Bytes, at most, by which naming a list in `truncated` makes a result longer."""
_MIN_TEXT = 80
"""Code points that are left of the first error of a rejection, however little room there is."""
_MAX_SEVERITY = 16
_MAX_COORDINATE = 2**53
_POSITION_FIELDS = frozenset({"pos", "endPos", "proofState", "line", "column"})
"""Fields in which two entries may differ and still count as equal: positions, and the REPL's number of a state."""


def encode_uncut(result: ProofResult) -> bytes:
    """Write the whole result with orjson, which is enough for nearly every result.

    Raises:
        TypeError: The result has something that orjson cannot write: too many levels, a lone surrogate, an integer
            beyond 64 bits.
    """
    return orjson.dumps(_fields(result), default=_plain)


class TruncatedResult:
    """A result whose parts can be cut one after the other, each as far as is needed."""

    def __init__(self, result: ProofResult) -> None:
        self.left_out: set[str] = set()
        self._fields = _fields(result)
        self._removable = {
            part: fields
            for part, fields in _removable_fields(result, self._fields).items()
            if any(holder[key] not in (None, [], {}) for holder, key, _ in fields)
        }
        self._lists = _lists(result, self._fields)

    def write_parts(self) -> None:
        """Write each part as JSON, once; a part that cannot be written is left out."""
        for part, entries in self._lists.items():
            entries.write()
            self._note_entries(part)
        for part, fields in list(self._removable.items()):
            try:
                for holder, key, _ in fields:
                    holder[key] = orjson.Fragment(jsontext.dumps(holder[key]))
            except ValueError:
                self.leave_out(part)

    def cut(self, part: str, excess: int) -> None:
        """Make a part smaller by `excess` bytes, or as small as it gets, and say in `truncated` what is missing.

        A list loses equal entries first, then entries from its end. Any other part is left out as a whole.
        """
        if part in self._lists:
            # The note about it in `truncated` needs room, too.
            self._lists[part].shrink(excess + _MAX_NAME)
            self._note_entries(part)
        else:
            self.leave_out(part)

    def leave_out(self, part: str) -> None:
        """Leave a part out if the result has it, and name it in `truncated`. The first error of a rejection stays."""
        if part in self._lists:
            self._lists[part].clear()
            self._note_entries(part)
        for holder, key, replacement in self._removable.pop(part, ()):
            if replacement is _NO_KEY:
                del holder[key]
            else:
                holder[key] = replacement
            self.name(part)
        if part == "theorem_types" and "theorem_types" in self.left_out:
            # The types were in the theorems, which were written before: write these again without them.
            self._lists["theorems"].write()

    def _note_entries(self, part: str) -> None:
        """Say in `truncated` how many entries of a list are missing."""
        entries = self._lists[part]
        if entries.missing or entries.shortened:
            self.left_out.add(part)
            notes = self._fields["truncated"]
            # A list may be cut twice: the newer note, with more entries missing, replaces the older one.
            notes[:] = [note for note in notes if note.partition(":")[0] != part]
            notes.append(f"{part}: {entries.missing:,} of {entries.total:,}" if entries.missing else part)

    def name(self, part: str) -> None:
        """Say in `truncated` that a part was left out."""
        self.left_out.add(part)
        if part not in self._fields["truncated"]:
            self._fields["truncated"].append(part)

    def encode(self) -> bytes:
        """Write the result without what was left out."""
        return orjson.dumps(self._fields, default=_plain)


class _TruncatedList:
    """A list of a result that is cut entry by entry.

    `kept` is the index of the entry that always stays, at worst with its text cut: the first error of a rejection. A
    rejection that does not say why would be worth nothing to its reader.
    """

    def __init__(self, holder: dict[str, Any], key: str, entries: list[dict[str, Any]], *, kept: int | None) -> None:
        self.total = len(entries)
        self.kept = kept
        self.shortened = False
        """True once the text of the entry that always stays was cut."""
        self._holder = holder
        self._key = key
        self._entries = entries
        self._written: list[tuple[int, bytes]] | None = None

    @property
    def missing(self) -> int:
        """The number of entries that were left out."""
        return self.total - len(self._entries if self._written is None else self._written)

    def write(self) -> None:
        """Write each entry as JSON; an entry that cannot be written is left out."""
        written = []
        for index, entry in enumerate(self._entries):
            # Apart from the others: one that is nested too deeply must not cost those beside it.
            try:
                written.append((index, jsontext.dumps(entry)))
            except ValueError:
                if index == self.kept:
                    written.append((index, self._kept_within(0)))
        self._keep(written)

    def shrink(self, excess: int) -> None:
        """Make the list smaller by `excess` bytes, or as small as it gets. It must have been written before."""
        written = self._written or []
        room = _size(written) - excess
        # Thousands of equal errors say what one says: nothing is lost by merging them, so that comes first.
        written = self._merged(written)
        if _size(written) > room:
            written = self._first_that_fit(written, room)
        self._keep(written)

    def clear(self) -> None:
        """Leave out all entries but the one that always stays."""
        self._keep([] if self.kept is None else [(self.kept, self._kept_within(0))])

    def _keep(self, written: list[tuple[int, bytes]]) -> None:
        """Put these entries into the result in place of the list."""
        self._written = written
        self._holder[self._key] = orjson.Fragment(b"[%b]" % b",".join(text for _, text in written))

    def _merged(self, written: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Keep one of each group of entries that differ in nothing but their position, and give it their number."""
        groups: dict[bytes, list[tuple[int, bytes]]] = {}
        for index, text in written:
            entry = self._entries[index]
            same = {name: value for name, value in entry.items() if name not in _POSITION_FIELDS}
            # Entries that have nothing but a position are not equal; theorems have no `count`.
            key = text if self._key == "theorems" or not same else jsontext.dumps(same)
            groups.setdefault(key, []).append((index, text))
        merged = []
        for group in groups.values():
            index, text = group[0]
            if len(group) > 1:
                text = jsontext.dumps({**self._entries[index], "count": len(group)})
            merged.append((index, text))
        return merged

    def _first_that_fit(self, written: list[tuple[int, bytes]], room: int) -> list[tuple[int, bytes]]:
        """Keep entries from the beginning as long as there is room, and the entry that always stays."""
        always = next((item for item in written if item[0] == self.kept), None)
        if always is not None and _size([always]) > room:
            return [(always[0], self._kept_within(room - _size([])))]
        fitting, left = [], room - _size([]) - (0 if always is None else len(always[1]) + 1)
        for item in written:
            if always is not None and item[0] == always[0]:
                # Its room was set aside before the loop.
                fitting.append(always)
                always = None
                continue
            left -= len(item[1]) + 1
            # Not the next smaller one in its place: what is left of a list is its beginning, without gaps.
            if left < 0:
                break
            fitting.append(item)
        # The loop may have ended before it reached the entry that always stays.
        return fitting if always is None else [*fitting, always]

    def _kept_within(self, room: int) -> bytes:
        """Write the entry that always stays with as much of its text as there is room for, at least `_MIN_TEXT`."""
        self.shortened = True
        entry = self._entries[self.kept or 0]
        # By bisection: how many bytes a code point takes depends on what JSON escapes.
        low, high = _MIN_TEXT, max(_MIN_TEXT, min(len(entry["data"]), room))
        while low < high:
            size = (low + high + 1) // 2
            if len(_shortened(entry, size)) <= room:
                low = size
            else:
                high = size - 1
        return _shortened(entry, low)


def _size(written: list[tuple[int, bytes]]) -> int:
    """Count the bytes that a list of these entries takes as JSON."""
    return 2 + sum(len(text) for _, text in written) + max(0, len(written) - 1)


def _shortened(message: dict[str, Any], size: int) -> bytes:
    """Write a message of Lean with at most `size` code points of its text, and without fields that have no bound."""
    short: dict[str, Any] = {"severity": jsontext.cut(message["severity"], _MAX_SEVERITY)}
    for name in ("pos", "endPos"):
        if name in message:
            position = message[name]
            short[name] = position and {
                key: max(0, min(int(position[key]), _MAX_COORDINATE)) for key in ("line", "column")
            }
    return jsontext.dumps({**short, "data": jsontext.cut(message["data"], size)})


_Field = tuple[dict[str, Any], str, Any]
"""A field that can be left out: the object that has it, its key, and the value that replaces it."""

_NO_KEY = object()


def _removable_fields(result: ProofResult, fields: dict[str, Any]) -> dict[str, list[_Field]]:
    """Find the fields of each part that is left out as a whole.

    They lie in `fields`, into which copies are put of the models that have them, so that these can be changed.
    """
    # Dicts, not models: parts are left out of them, and the result itself must stay as it is.
    fields["theorems"] = [_plain(theorem) for theorem in result.theorems]
    fields["findings"] = [_plain(finding) for finding in result.findings]
    removable: dict[str, list[_Field]] = {"metadata": [(fields, "metadata", None)]}
    removable["theorem_types"] = [
        (theorem, "type", None) for theorem in fields["theorems"] if theorem["type"] is not None
    ]
    if result.response is not None:
        response = fields["response"] = _plain(result.response)
        removable["infotree"] = [(response, "infotree", None)]
        # The names go as well as the values: both may be of any length.
        removable["other"] = [(response, name, _NO_KEY) for name in result.response.model_extra or ()]
    return removable


def _lists(result: ProofResult, fields: dict[str, Any]) -> dict[str, _TruncatedList]:
    """Find the parts that are cut entry by entry."""
    lists = {part: _TruncatedList(fields, part, fields[part], kept=None) for part in ("findings", "theorems")}
    if result.response is not None:
        response = fields["response"]
        kept = None
        if result.status is Status.REJECTED and result.response.messages:
            # Its first error, or its first message: one of Lean's that only warns of `sorry` rejects, too.
            severities = [message["severity"] for message in result.response.messages]
            kept = severities.index("error") if "error" in severities else 0
        lists |= {
            part: _TruncatedList(response, part, response[part], kept=kept if part == "messages" else None)
            for part in ("tactics", "sorries", "messages")
        }
    return lists


def _fields(result: ProofResult) -> dict[str, Any]:
    """Take the fields of the result; those that are never left out are cut to fixed lengths."""
    return {
        **result.__dict__,
        "error": None if result.error is None else jsontext.cut(result.error, _MAX_SENTENCE),
        "summary": jsontext.cut(result.summary, _MAX_SENTENCE),
        "truncated": list(dict.fromkeys(result.truncated))[:_MAX_TRUNCATED],
        "worker": jsontext.cut(result.worker, _MAX_WORKER),
        "verifier": {
            name: None if text is None else jsontext.cut(text, _MAX_VERSION)
            for name, text in result.verifier.__dict__.items()
        },
        "checkers": [
            {**checker.__dict__, "version": checker.version and jsontext.cut(checker.version, _MAX_VERSION)}
            for checker in result.checkers
        ],
    }


def _plain(value: Any) -> dict[str, Any]:
    """Give orjson a model of ours as a dict. `model_dump` would walk into infotrees, and stops at 255 levels."""
    if isinstance(value, Timings):
        return {("import" if name == "import_" else name): seconds for name, seconds in value.__dict__.items()}
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.model_extra or {})}
    raise TypeError
