"""Every warning and error that the package logs, read from its source: the event, and the hint that says what to do."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = ROOT / "streamverify"
LEVELS = {"warning": "warning", "error": "error", "exception": "error", "critical": "error"}


class Complaint(NamedTuple):
    """One event that is logged as a warning or an error. `hint` has `…` where a value is filled in."""

    event: str
    level: str
    hint: str


def calls(source: str) -> list[ast.Call]:
    """The calls of `_log.warning`, `_log.error`, `_log.exception` and `_log.critical`."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and ast.unparse(node.func.value) == "_log"
    ]


def complaints() -> list[Complaint]:
    """Every warning and error of the package, by event. Of one that is logged at several places each hint stands."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for file in sorted(PACKAGE.rglob("*.py")):
        for call in calls(file.read_text("utf-8")):
            hints = [hint for keyword in call.keywords if keyword.arg == "hint" for hint in texts(keyword.value)]
            for event in texts(call.args[0]):
                level = LEVELS[call.func.attr] if isinstance(call.func, ast.Attribute) else ""
                found[event, level].update(hints)
    return [Complaint(event, level, "; or: ".join(sorted(hints))) for (event, level), hints in sorted(found.items())]


def texts(value: ast.expr) -> Iterator[str]:
    """The texts that an expression can be: a literal, a formatted one, or either of a conditional."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one)
            yield from texts(other)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield "".join([*texts(left), *texts(right)])
        case _:
            yield f"({ast.unparse(value)})"
