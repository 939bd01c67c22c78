"""Every warning and error tells an operator what it means and what to do: it has a `hint`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "streamverify"
FILES = sorted(PACKAGE.rglob("*.py"))


def complaints(source: str) -> list[ast.Call]:
    """The calls of `_log.warning`, `_log.error`, `_log.exception` and `_log.critical`."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"warning", "error", "exception", "critical"}
        and ast.unparse(node.func.value) == "_log"
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_every_warning_and_error_has_a_hint(file: Path) -> None:
    for call in complaints(file.read_text("utf-8")):
        assert "hint" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)


def test_a_complaint_without_a_hint_is_found() -> None:
    [call] = complaints('_log.info("a")\n_log.warning("b", error="c")\n')
    assert {keyword.arg for keyword in call.keywords} == {"error"}
    assert sum(len(complaints(file.read_text("utf-8"))) for file in FILES) > 20
