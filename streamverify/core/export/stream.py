"""Reads an export: the NDJSON of lean4export, format 3.1, from bytes to tables.

Total and in one pass: any bytes give an `Export` or an `ExportError`, in time that grows with their number and memory
that `ExportLimits` bounds; nothing here recurses. What was read is whole: every number refers to an earlier line, and
every constant that a declaration mentions was declared before it or in the same block of inductive types. So an export
that was cut lacks only what comes after all that it still declares.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.core.export.budget import Budget
from streamverify.core.export.constants import Export
from streamverify.core.export.declarations import Declarations
from streamverify.core.export.lines import ExportError, Fields, number, read_line
from streamverify.core.export.rows import ExpressionRows, LevelRows, NameRows
from streamverify.core.export.terms import Expr, Terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.export.names import NameTable


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """The size that an export may have; a larger one is too large, which is no fault of the proof.

    `steps` bounds what a line can ask for beside a row of a table: see `budget.py`.
    """

    bytes: int = 4 * 2**30
    line_bytes: int = 4 * 2**20
    expressions: int = 20_000_000
    steps: int = 50_000_000


_N = rb"(0|[1-9][0-9]{0,9})"
_LIST = rb"((?:(?:0|[1-9][0-9]{0,9})(?:,(?:0|[1-9][0-9]{0,9}))*+)?)"
_BINDING = rb'\{"binderInfo":"([a-zA-Z]{7,14})","body":%b,"name":%b,"type":%b\}' % (_N, _N, _N)
_APP = re.compile(rb'\{"app":\{"arg":%b,"fn":%b\},"ie":%b\}' % (_N, _N, _N))
_FORALL = re.compile(rb'\{"forallE":%b,"ie":%b\}' % (_BINDING, _N))
_LAM = re.compile(rb'\{"ie":%b,"lam":%b\}' % (_N, _BINDING))
_CONST = re.compile(rb'\{"const":\{"name":%b,"us":\[%b\]\},"ie":%b\}' % (_N, _LIST, _N))
_STR = re.compile(rb'\{"in":%b,"str":\{"pre":%b,"str":"([^"\\\x00-\x1f\x80-\xff]*)"\}\}' % (_N, _N))
_BVAR = re.compile(rb'\{"bvar":%b,"ie":%b\}' % (_N, _N))

_FORMAT = re.compile(r"3\.1\.(?:0|[1-9][0-9]{0,8})")


def read_export(chunks: Iterable[bytes], names: NameTable, limits: ExportLimits) -> Export:
    """Read an export from its bytes, in pieces of any size.

    Raises:
        ExportError: It is no whole export of format 3.1, or goes over a limit.
    """
    reader = _LineReader(names, limits)
    export = reader.export
    digest = hashlib.sha256()
    # The pieces of the line that has not ended yet; a chunk may be one byte of a long one.
    pieces: list[bytes] = []
    waiting = 0
    for chunk in chunks:
        digest.update(chunk)
        export.size += len(chunk)
        if export.size > limits.bytes:
            raise ExportError(f"it has more than {limits.bytes} bytes", too_large=True)
        first, *others = chunk.split(b"\n")
        pieces.append(first)
        waiting += len(first)
        if waiting > limits.line_bytes:
            raise ExportError(f"a line has more than {limits.line_bytes} bytes", export.lines + 1, too_large=True)
        if not others:
            continue
        *lines, last = (b"".join(pieces), *others)
        pieces, waiting = [last], len(last)
        for line in lines:
            export.lines += 1
            try:
                reader.line(line)
            except ExportError as error:
                error.line = export.lines
                raise
    if waiting:
        raise ExportError("the last line has no end", export.lines + 1)
    if not export.lines:
        raise ExportError("it is empty")
    reader.end()
    export.sha256 = digest.hexdigest()
    return export


class _LineReader:
    """The state between two lines."""

    def __init__(self, names: NameTable, limits: ExportLimits) -> None:
        self.export = Export(names, Terms())
        budget = Budget(limits.steps)
        self._names = NameRows(names, budget)
        self._levels = LevelRows(self.export, self._names, budget)
        self._expressions = ExpressionRows(self.export, self._names, self._levels, budget, limits.expressions)
        self._tables = (("in", self._names), ("il", self._levels), ("ie", self._expressions))
        self._declarations = Declarations(self.export, self._names, self._levels, self._expressions, budget)

    def line(self, line: bytes) -> None:
        """Take the next line."""
        if self.export.lines == 1:
            _meta(read_line(line))
        # Nine lines of ten are of these kinds, in the form that exporters write, and are read several times as fast
        # like this as by way of JSON, which takes any other.
        elif found := _APP.fullmatch(line):
            argument, function, index = map(int, found.groups())
            self._expressions.app(index, function, argument)
        elif found := _CONST.fullmatch(line):
            levels = tuple(map(int, found[2].split(b","))) if found[2] else ()
            self._expressions.const(int(found[3]), int(found[1]), levels)
        elif found := _FORALL.fullmatch(line):
            body, name, domain, index = map(int, found.groups()[1:])
            info = found[1].decode()
            self._expressions.binding(index, Expr.FORALL, info, body=body, name=name, domain=domain)
        elif found := _LAM.fullmatch(line):
            body, name, domain = map(int, found.groups()[2:])
            info = found[2].decode()
            self._expressions.binding(int(found[1]), Expr.LAM, info, body=body, name=name, domain=domain)
        elif found := _BVAR.fullmatch(line):
            self._expressions.bvar(int(found[2]), int(found[1]))
        elif found := _STR.fullmatch(line):
            self._names.add(int(found[1]), int(found[2]), found[3].decode())
        else:
            self._other(read_line(line))

    def end(self) -> None:
        """Take the end of the export.

        Raises:
            ExportError: An expression stands twice in it.
        """
        self._expressions.refuse_duplicates()

    def _other(self, line: dict[str, Any]) -> None:
        # A row has the number that it gets in one of the tables, and what it is; a declaration has no number.
        table, rows = next((each for each in self._tables if each[0] in line), ("", None))
        index = number(table, line.pop(table)) if rows is not None else 0
        if len(line) != 1:
            raise ExportError(f"what it is, is not known: it has {', '.join(sorted(line))[:60]!a}")
        ((word, value),) = line.items()
        if rows is None:
            self._declarations.read(word, value)
        else:
            rows.read(word, index, value)


def _meta(line: dict[str, object]) -> None:
    """Refuse an export that does not begin with what it is, or is of a format that is not known."""
    meta = Fields("meta", Fields("the first line", line, "meta").any("meta"), "exporter lean format")
    for word in ("exporter", "lean"):
        about = Fields(word, meta.any(word), "name version" if word == "exporter" else "githash version")
        about.text("version")
        about.text("name" if word == "exporter" else "githash")
    version = Fields("format", meta.any("format"), "version").text("version")
    if not _FORMAT.fullmatch(version):
        raise ExportError(f"it is of format {version[:40]!a}, and only 3.1 is known")
