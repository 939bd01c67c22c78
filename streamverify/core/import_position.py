"""Where a message of Lean about a failed import belongs in the file: at which of its imports.

A REPL imports the header apart, so what Lean says of it has no position in the file as sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streamverify.core.syntax.lexer import IDENTIFIER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.messages.models import Position
    from streamverify.core.syntax.header import Header, Import

_PART = re.compile(r"«([^»]*+)»|[^.«]++")
_NAME_IN_MESSAGE = re.compile(rf"(?<![\w./»]){IDENTIFIER.pattern}(?![\w/])")
_PATH_IN_MESSAGE = re.compile(r"[^\s'\"`:]++")
# Lean names a missing root without the «quotes» that it would need.
_BARE_IN_MESSAGE = re.compile(r"'([^'\n]++)'")
_SUFFIX = re.compile(r"\.(?:olean|ilean|ir|lean)(?:\.\w++)?\Z")
_DEEPEST_PATH = 32


def import_position(header: Header, message_text: str) -> Position:
    """Where in the file a message about a failed import belongs: at the import that it names, else at the first.

    Lean's versions word such messages differently; they name the module, its file, or the root of its name.
    """
    found = _named(header, message_text) or next(iter(header.imports), None)
    return {"line": found.line, "column": found.column} if found else {"line": 1, "column": 0}


def _named(header: Header, message_text: str) -> Import | None:
    """The import that a message names: by its name or that name's root, else by its file, else as a relative."""
    modules = {item.module: item for item in reversed(header.imports)}
    roots = {_root(item.module): item for item in reversed(header.imports)}
    # A closing quotation mark is read as the prime that a name may end with.
    names = [name.rstrip("'") for name in _NAME_IN_MESSAGE.findall(message_text)]
    return (
        _first(roots | modules, names)
        or _first(modules, _modules_of_paths(message_text))
        or _first(roots, map(_root, names))
        or _first({root.strip("«»"): item for root, item in roots.items()}, _BARE_IN_MESSAGE.findall(message_text))
    )


def _first(known: dict[str, Import], names: Iterable[str]) -> Import | None:
    return next((known[name] for name in names if name in known), None)


def _root(module: str) -> str:
    match = _PART.match(module)
    return match.group() if match else module


def _modules_of_paths(message_text: str) -> Iterable[str]:
    """The modules that the paths in a message may stand for: each tail of `/a/Does/Not.olean`, longest first."""
    for path in _PATH_IN_MESSAGE.findall(message_text):
        stem, is_file = _SUFFIX.subn("", path)
        parts = stem.split("/")[-_DEEPEST_PATH:] if is_file else ()
        for start in range(len(parts)):
            yield ".".join(parts[start:])
