"""A result on its way to bytes: in pieces, so that what does not fit can be left out."""

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
"""What `ProofResult.truncated` can name, in the order in which it is cut from a result that is too large.

`other` is what the REPL answered beyond the fields that we know; `headers` are the Kafka headers copied from the
request.
"""

_MAX_ERROR = 500
_MAX_WORKER = 128
_MAX_VERSION = 64
_MAX_TRUNCATED = 16
_MAX_NAME = 64
"""Bytes, at most, by which naming a list in `truncated` makes a result longer."""
_LEAST_TEXT = 80
"""Code points that are left of the first error of a rejection, however little room there is."""
_MAX_SEVERITY = 16
_LAST_PLACE = 2**53
_WHERE = frozenset({"pos", "endPos", "proofState", "line", "column"})
"""Fields by which equal entries may differ: where they stand, and the REPL's number for a state."""


def encode_whole(result: ProofResult) -> bytes:
    """All of it, the ordinary way.

    Raises:
        TypeError: Something in it is beyond orjson: nested too deeply, a lone surrogate, an integer beyond 64 bits.
    """
    return orjson.dumps(_fields(result), default=_plain)


class Draft:
    """A result whose parts can be cut one after the other, each as far as is needed."""

    def __init__(self, result: ProofResult) -> None:
        self.left_out: set[str] = set()
        self._fields = _fields(result)
        self._wholes = {
            part: places
            for part, places in _places(result, self._fields).items()
            if any(holder[key] not in (None, [], {}) for holder, key, _ in places)
        }
        self._lists = _lists(result, self._fields)

    def write_parts(self) -> None:
        """Turn each part into JSON, once and for all, and leave out what cannot be."""
        for part, entries in self._lists.items():
            entries.write()
            self._name_entries(part)
        for part, places in list(self._wholes.items()):
            try:
                for holder, key, _ in places:
                    holder[key] = orjson.Fragment(jsontext.dumps(holder[key]))
            except ValueError:
                self.leave_out(part)

    def cut(self, part: str, excess: int) -> None:
        """Make a part smaller by `excess` bytes, or as small as it gets, and say in `truncated` what is missing.

        Of a list equal entries go first, then entries from its end; anything else goes as a whole.
        """
        if part in self._lists:
            self._lists[part].shrink(excess + _MAX_NAME)
            self._name_entries(part)
        else:
            self.leave_out(part)

    def leave_out(self, part: str) -> None:
        """Leave a part out, and name it, if the result has it; the first error of a rejection stays."""
        if part in self._lists:
            self._lists[part].clear()
            self._name_entries(part)
        for holder, key, without in self._wholes.pop(part, ()):
            if without is _NO_KEY:
                del holder[key]
            else:
                holder[key] = without
            self.name(part)
        if part == "theorem_types" and "theorem_types" in self.left_out:
            self._lists["theorems"].write()

    def _name_entries(self, part: str) -> None:
        entries = self._lists[part]
        if entries.missing or entries.shortened:
            self.left_out.add(part)
            said = self._fields["truncated"]
            said[:] = [name for name in said if name.partition(":")[0] != part]
            said.append(f"{part}: {entries.missing:,} of {entries.total:,}" if entries.missing else part)

    def name(self, part: str) -> None:
        """Say in `truncated` that a part was left out."""
        self.left_out.add(part)
        if part not in self._fields["truncated"]:
            self._fields["truncated"].append(part)

    def encode(self) -> bytes:
        """The result without what was left out."""
        return orjson.dumps(self._fields, default=_plain)


class _Entries:
    """A list of a result, to be cut entry by entry.

    `spared` is the place of the entry that stays whatever happens, at worst with its text cut: the first error of a
    rejection. A rejection that does not say why would be worth nothing to whoever reads it.
    """

    def __init__(self, holder: dict[str, Any], key: str, entries: list[dict[str, Any]], *, spared: int | None) -> None:
        self.total = len(entries)
        self.spared = spared
        self.shortened = False
        """Whether the text of the entry that is spared was cut."""
        self._holder = holder
        self._key = key
        self._entries = entries
        self._written: list[tuple[int, bytes]] | None = None

    @property
    def missing(self) -> int:
        """How many of the entries are not there."""
        return self.total - len(self._entries if self._written is None else self._written)

    def write(self) -> None:
        """Turn each entry into JSON; one that cannot be is left out."""
        written = []
        for place, entry in enumerate(self._entries):
            try:
                written.append((place, jsontext.dumps(entry)))
            except ValueError:
                if place == self.spared:
                    written.append((place, self._fitting(0)))
        self._keep(written)

    def shrink(self, excess: int) -> None:
        """Make it smaller by so many bytes, if that can be; it was written before."""
        written = self._written or []
        room = _size(written) - excess
        written = self._merged(written)
        if _size(written) > room:
            written = self._first_that_fit(written, room)
        self._keep(written)

    def clear(self) -> None:
        """Leave out all but what is spared."""
        self._keep([] if self.spared is None else [(self.spared, self._fitting(0))])

    def _keep(self, written: list[tuple[int, bytes]]) -> None:
        """Put these into the result in the list's place."""
        self._written = written
        self._holder[self._key] = orjson.Fragment(b"[%b]" % b",".join(text for _, text in written))

    def _merged(self, written: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Each entry once, with a count of those that differ from it in nothing but their place in the file."""
        groups: dict[bytes, list[tuple[int, bytes]]] = {}
        for place, text in written:
            entry = self._entries[place]
            same = {name: value for name, value in entry.items() if name not in _WHERE}
            # Nothing but places: two such entries are not the same.
            key = text if self._key == "theorems" or not same else jsontext.dumps(same)
            groups.setdefault(key, []).append((place, text))
        merged = []
        for group in groups.values():
            place, text = group[0]
            merged.append(
                (place, text)
                if len(group) == 1
                else (place, jsontext.dumps({**self._entries[place], "count": len(group)}))
            )
        return merged

    def _first_that_fit(self, written: list[tuple[int, bytes]], room: int) -> list[tuple[int, bytes]]:
        spared = next(((place, text) for place, text in written if place == self.spared), None)
        if spared is not None and _size([spared]) > room:
            return [(spared[0], self._fitting(room - _size([])))]
        kept, left = [], room - _size([]) - (0 if spared is None else len(spared[1]) + 1)
        for place, text in written:
            if spared is not None and place == spared[0]:
                kept.append(spared)
                spared = None
                continue
            left -= len(text) + 1
            if left < 0:
                break
            kept.append((place, text))
        # It comes after what was kept, or among it.
        return kept if spared is None else [*kept, spared]

    def _fitting(self, room: int) -> bytes:
        """The entry that is spared, with as much of its text as there is room for, and never less than a few words."""
        self.shortened = True
        entry = self._entries[self.spared or 0]
        least, most = _LEAST_TEXT, max(_LEAST_TEXT, min(len(entry["data"]), room))
        while least < most:
            size = (least + most + 1) // 2
            if len(_shortened(entry, size)) <= room:
                least = size
            else:
                most = size - 1
        return _shortened(entry, least)


def _size(written: list[tuple[int, bytes]]) -> int:
    """Bytes of a list as JSON."""
    return 2 + sum(len(text) for _, text in written) + max(0, len(written) - 1)


def _shortened(message: dict[str, Any], size: int) -> bytes:
    """A message of Lean with at most `size` code points of its text, and nothing in it that has no bound."""
    short: dict[str, Any] = {"severity": jsontext.cut(message["severity"], _MAX_SEVERITY)}
    for name in ("pos", "endPos"):
        if name in message:
            place = message[name]
            short[name] = place and {key: max(0, min(int(place[key]), _LAST_PLACE)) for key in ("line", "column")}
    return jsontext.dumps({**short, "data": jsontext.cut(message["data"], size)})


_Place = tuple[dict[str, Any], str, Any]
"""Where something stands: an object, the key in it, and what stands there once it is left out."""

_NO_KEY = object()


def _places(result: ProofResult, fields: dict[str, Any]) -> dict[str, list[_Place]]:
    """The place of each part that is left out as a whole, in `fields`, which gets objects of its own to be changed."""
    fields["theorems"] = [_plain(theorem) for theorem in result.theorems]
    fields["findings"] = [_plain(finding) for finding in result.findings]
    places: dict[str, list[_Place]] = {"metadata": [(fields, "metadata", None)]}
    places["theorem_types"] = [(theorem, "type", None) for theorem in fields["theorems"] if theorem["type"] is not None]
    if result.response is not None:
        response = fields["response"] = _plain(result.response)
        places["infotree"] = [(response, "infotree", None)]
        # names too: they may be as long as they like
        places["other"] = [(response, name, _NO_KEY) for name in result.response.model_extra or ()]
    return places


def _lists(result: ProofResult, fields: dict[str, Any]) -> dict[str, _Entries]:
    """The parts that are cut entry by entry."""
    lists = {part: _Entries(fields, part, fields[part], spared=None) for part in ("findings", "theorems")}
    if result.response is not None:
        response = fields["response"]
        lists |= {
            part: _Entries(response, part, response[part], spared=_spared(result) if part == "messages" else None)
            for part in ("tactics", "sorries", "messages")
        }
    return lists


def _spared(result: ProofResult) -> int | None:
    """The place of the first error of a rejection, else of its first message."""
    if result.status is not Status.REJECTED or result.response is None or not result.response.messages:
        return None
    severities = [message["severity"] for message in result.response.messages]
    return severities.index("error") if "error" in severities else 0


def _fields(result: ProofResult) -> dict[str, Any]:
    """The result's fields, each that is never left out within its bounds."""
    return {
        **result.__dict__,
        "error": None if result.error is None else jsontext.cut(result.error, _MAX_ERROR),
        "truncated": list(dict.fromkeys(result.truncated))[:_MAX_TRUNCATED],
        "worker": jsontext.cut(result.worker, _MAX_WORKER),
        "verifier": {
            name: None if text is None else jsontext.cut(text, _MAX_VERSION)
            for name, text in result.verifier.__dict__.items()
        },
    }


def _plain(value: Any) -> dict[str, Any]:
    """A model of ours for orjson: `model_dump` would walk into infotrees, and stops at 255 levels."""
    if isinstance(value, Timings):
        return {("import" if name == "import_" else name): seconds for name, seconds in value.__dict__.items()}
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.model_extra or {})}
    raise TypeError
