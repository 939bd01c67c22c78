"""Exports for tests: those that are kept, changed line by line, and rows added to them by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = Path(__file__).resolve().parent / "data" / "exports"
META = {
    "meta": {
        "exporter": {"name": "by hand", "version": "1"},
        "format": {"version": "3.1.0"},
        "lean": {"githash": "", "version": "4.35.0"},
    }
}


def kept(name: str, which: str = "proof") -> bytes:
    """A kept export: what a real exporter wrote."""
    return (KEPT / f"{name}.{which}.ndjson").read_bytes()


class Written:
    """An export as its lines, which may be changed, and to which rows may be added."""

    def __init__(self, export: bytes = b"") -> None:
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in export.splitlines()] or [META]
        self._next = {"in": 1, "il": 1, "ie": 0}
        self._rows: dict[str, int] = {}
        for line in self.lines:
            for table in self._next:
                if table in line:
                    self._note(table, line)

    def bytes(self) -> bytes:
        """What stands in it now, written as exporters write."""
        return b"".join(
            json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"
            for line in self.lines
        )

    def declared(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Every declaration of these kinds: of inductive types, `types`, `ctors` and `recs`."""
        for line in self.lines:
            for word, value in line.items():
                if word == "inductive":
                    yield from (each for kind in kinds if kind in value for each in value[kind])
                elif word in kinds:
                    yield value

    def named(self, name: str) -> dict[str, Any]:
        """The declaration of a name, dots between its parts."""
        kinds = ("axiom", "def", "thm", "opaque", "quot", "types", "ctors", "recs")
        return next(each for each in self.declared(*kinds) if each["name"] == self.name(*name.split(".")))

    def block(self, name: str) -> dict[str, Any]:
        """The inductive types that were declared with one of this name."""
        row = self.name(*name.split("."))
        blocks = (line["inductive"] for line in self.lines if "inductive" in line)
        return next(each for each in blocks if row in [type_["name"] for type_ in each["types"]])

    def name(self, *parts: str | int) -> int:
        """The row of a name, which is added if there is none."""
        row = 0
        for part in parts:
            what = {"str": {"pre": row, "str": part}} if isinstance(part, str) else {"num": {"pre": row, "i": part}}
            row = self.row("in", what)
        return row

    def level(self, **what: object) -> int:
        """The row of a level, such as `succ=0`."""
        return self.row("il", what)

    def sort(self, level: int) -> int:
        """The row of a sort."""
        return self.row("ie", {"sort": level})

    def var(self, binders: int) -> int:
        """The row of a bound variable."""
        return self.row("ie", {"bvar": binders})

    def const(self, name: str, *levels: int) -> int:
        """The row of a constant, dots between the parts of its name."""
        return self.row("ie", {"const": {"name": self.name(*name.split(".")), "us": list(levels)}})

    def app(self, function: int, *arguments: int) -> int:
        """The row of an application."""
        for argument in arguments:
            function = self.row("ie", {"app": {"fn": function, "arg": argument}})
        return function

    def pi(self, domain: int, body: int) -> int:
        """The row of a type of functions."""
        return self._binding("forallE", domain, body)

    def lam(self, domain: int, body: int) -> int:
        """The row of a function."""
        return self._binding("lam", domain, body)

    def proj(self, structure: str, index: int, value: int) -> int:
        """The row of a field of a structure's value."""
        name = self.name(*structure.split("."))
        return self.row("ie", {"proj": {"typeName": name, "idx": index, "struct": value}})

    def theorem(self, name: str, type_: int, value: int) -> None:
        """Declare a theorem."""
        row = self.name(*name.split("."))
        declared = {"name": row, "levelParams": [], "type": type_, "value": value, "all": [row]}
        self.lines.append({"thm": declared})

    def definition(self, name: str, type_: int, value: int) -> None:
        """Declare a definition."""
        row = self.name(*name.split("."))
        declared = {"name": row, "levelParams": [], "type": type_, "value": value, "all": [row]}
        self.lines.append({"def": {**declared, "hints": "abbrev", "safety": "safe"}})

    def axiom(self, name: str, type_: int) -> None:
        """Declare an axiom."""
        row = self.name(*name.split("."))
        self.lines.append({"axiom": {"name": row, "levelParams": [], "type": type_, "isUnsafe": False}})

    def row(self, table: str, what: dict[str, Any]) -> int:
        """The row that is this, which is added if there is none."""
        known = self._rows.get(json.dumps(what, sort_keys=True))
        return self.add(table, what) if known is None else known

    def add(self, table: str, what: dict[str, Any]) -> int:
        """Add a row, whether it is new or not."""
        line = {table: self._next[table], **what}
        self.lines.append(line)
        self._note(table, line)
        return self._next[table] - 1

    def _note(self, table: str, line: dict[str, Any]) -> None:
        what = json.dumps({word: value for word, value in line.items() if word != table}, sort_keys=True)
        self._rows.setdefault(what, line[table])
        self._next[table] = line[table] + 1

    def _binding(self, word: str, domain: int, body: int) -> int:
        what = {"name": self.name("x"), "type": domain, "body": body, "binderInfo": "default"}
        return self.row("ie", {word: what})
