"""The import header as Lean's own parser reads it: `lean --json` and `lean --deps`. `--deps-json` has another one."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from oracle.headers import BODY, MODULES, draw_header, write_modules
from oracle.lean435 import Leans

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import Header, body_of, parse_header
from streamverify.core.syntax.lexer import position

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oracle.lean435 import Run

HEADERS = 400
"""Of each of the two seeds; Lean is asked twice about each."""

_OF_IMPORTS = ("unknown module prefix", "object file", "failed to read file", "cannot import")
_FILES = {f"{path}.olean": name for name, path in MODULES.items()}


@pytest.fixture(scope="module")
def importing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leans]:
    folder = tmp_path_factory.mktemp("modules")
    write_modules(folder)
    with Leans(folder, count=os.cpu_count() or 1) as started:
        yield started


class Seen(NamedTuple):
    """What Lean makes of one file: its first answer, whether that is about the header, and what the header imports."""

    first: tuple[int, int]
    refused: bool
    imported: bool
    failed: bool
    modules: list[str]


def seen(folder: Path, run: Run, deps: Run) -> Seen:
    assert (run.status in (0, 1), deps.status in (0, 1)) == (True, True), (run, deps)
    messages = run.messages
    errors = [each["data"] for each in messages if each["severity"] == "error"]
    # The body ends with a command that answers: where there is no such answer, nor an error of a command, Lean has
    # stopped at the header.
    in_body = any(each["data"] == "body" or _of_commands(each) for each in messages)
    imported = not any(text.startswith(_OF_IMPORTS) for text in errors)
    # Lean imports `Init` of itself, once for each phase; no header here does.
    files = [line.removeprefix(f"{folder}/") for line in deps.stdout.splitlines()]
    return Seen(
        first=(messages[0]["pos"]["line"], messages[0]["pos"]["column"]),
        refused=imported and not in_body,
        imported=imported,
        failed=bool(errors),
        modules=[_FILES.get(file, file) for file in files if file != "Init.olean"],
    )


def _of_commands(message: dict[str, Any]) -> bool:
    return "expected command" in message["data"] or not message["keepFullRange"]


def ours(text: str) -> Header | HeaderError:
    try:
        return parse_header(text)
    except HeaderError as error:
        return error


@pytest.mark.timeout(600)
def test_headers_are_read_as_lean_reads_them(seed: int, importing: Leans, capsys: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(seed)
    texts = [draw_header(draw) for _ in range(HEADERS)]
    runs = importing.run_all(texts, "--json")
    deps = importing.run_all(texts, "--deps")
    counts: Counter[str] = Counter()
    for text, run, dep in zip(texts, runs, deps, strict=True):
        found, lean = ours(text), seen(importing.folder, run, dep)
        if isinstance(found, Header) and lean.refused:
            # What we read as the body's first word is to Lean a header that goes wrong there: an error either way.
            assert lean.first >= position(text, found.end), (text, found, lean)
            body = importing.run(body_of(text, found), "--json").messages
            assert any(each["severity"] == "error" for each in body), text
            counts["Lean refuses, and refuses the body as well"] += 1
        else:
            counts[_compare(text, found, lean)] += 1
    with capsys.disabled():
        print(f"\nseed {seed}: {dict(counts)}")
    assert counts["both read"] > HEADERS // 4
    assert counts["both refuse"] > HEADERS // 20


def _compare(text: str, found: Header | HeaderError, lean: Seen) -> str:
    if isinstance(found, HeaderError):
        if "begins with `prelude`" in str(found):
            return "prelude"
        # Where Lean goes on into the body, that has an error, too: the file is refused either way.
        assert lean.failed, (text, str(found), lean)
        return "both refuse" if lean.refused else "both refuse, Lean in the body or an import"
    if not lean.imported:
        return "no such module"
    assert [each.module for each in found.imports] == lean.modules, text
    body = position(text, found.end)
    assert lean.first == body if text[found.end :] == BODY else lean.first >= body, (text, lean)
    return "both read"
