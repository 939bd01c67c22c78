"""The import header as Lean's own parser reads it: `lean --json` and `lean --deps`. `--deps-json` has another one."""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from oracle.headers import BODY, MODULES, draw_header, write_modules
from oracle.lean435 import Leans

from streamverify.core.errors import HeaderError
from streamverify.core.header import Header, body_of, parse_header
from streamverify.core.lexer import position

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oracle.lean435 import Run

HEADERS = 400
"""Of each of the two seeds; Lean is asked twice about each."""

_FILES = {f"{path}.olean": name for name, path in MODULES.items()}


@pytest.fixture(scope="module")
def importing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leans]:
    folder = tmp_path_factory.mktemp("modules")
    write_modules(folder)
    with Leans(folder, count=os.cpu_count() or 1) as started:
        yield started


class Seen(NamedTuple):
    """What Lean makes of one file: the place of a grammatical error in the header or of the body's first answer."""

    refused: tuple[int, int] | None
    imported: bool
    first: tuple[int, int] | None
    modules: list[str]


def seen(folder: Path, run: Run, deps: Run) -> Seen:
    messages = run.messages
    # After an error in the header Lean reads no further: what follows is not there.
    of_imports = [each for each in messages if each["severity"] == "error" and _of_imports(each["data"])]
    places = [(each["pos"]["line"], each["pos"]["column"]) for each in messages]
    files = [line.removeprefix(f"{folder}/") for line in deps.stdout.splitlines()]
    # Lean imports `Init` of itself, once for each phase; no header here does.
    modules = [_FILES.get(file, file) for file in files if file != "Init.olean"]
    first = places[0] if places else None
    in_body = any(each["data"] == "body" for each in messages) or any(_of_commands(each) for each in messages)
    if of_imports:
        return Seen(None, imported=False, first=first, modules=modules)
    return Seen(None if in_body else first, imported=True, first=first, modules=modules)


def _of_imports(text: str) -> bool:
    return text.startswith(("unknown module prefix", "object file", "failed to read file", "cannot import"))


def _of_commands(message: dict[str, Any]) -> bool:
    return "expected command" in message["data"] or not message["keepFullRange"]


def ours(text: str) -> Header | HeaderError:
    try:
        return parse_header(text)
    except HeaderError as error:
        return error


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [4350, None])
def test_headers_are_read_as_lean_reads_them(
    seed: int | None, importing: Leans, capsys: pytest.CaptureFixture[str]
) -> None:
    number = secrets.randbelow(1 << 32) if seed is None else seed
    draw = random.Random(number)
    texts = [draw_header(draw) for _ in range(HEADERS)]
    runs = importing.run_all(texts, "--json")
    deps = importing.run_all(texts, "--deps")
    counts: Counter[str] = Counter()
    for text, run, dep in zip(texts, runs, deps, strict=True):
        found, lean = ours(text), seen(importing.folder, run, dep)
        if isinstance(found, Header) and lean.refused is not None:
            # What we read as the body's first word is to Lean a header that goes wrong there: an error either way.
            assert lean.refused >= position(text, found.end), (text, found, lean)
            body = importing.run(body_of(text, found), "--json").messages
            assert any(each["severity"] == "error" for each in body), text
            counts["Lean refuses, and refuses the body as well"] += 1
        else:
            counts[_compare(text, found, lean)] += 1
    with capsys.disabled():
        print(f"\nseed {number}: {dict(counts)}")
    assert counts["both read"] > HEADERS // 4
    assert counts["both refuse"] > HEADERS // 20


def _compare(text: str, found: Header | HeaderError, lean: Seen) -> str:
    if isinstance(found, HeaderError):
        if "begins with `prelude`" in str(found):
            return "prelude"
        assert lean.refused or not lean.imported, (text, str(found), lean)
        return "both refuse" if lean.refused else "both refuse in other words"
    if not lean.imported:
        return "no such module"
    assert [each.module for each in found.imports] == lean.modules, text
    body = position(text, found.end)
    if text[found.end :] == BODY:
        assert lean.first == body, (text, lean)
    elif lean.first is not None:
        assert lean.first >= body, (text, lean)
    return "both read"
