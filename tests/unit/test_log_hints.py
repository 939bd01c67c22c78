"""Every warning and error tells an operator what it means and what to do: it has a `hint`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from handbook.complaints import calls
from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "streamverify"
FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_every_warning_and_error_has_a_hint(file: Path) -> None:
    for call in calls(file.read_text("utf-8")):
        assert "hint" in {keyword.arg for keyword in call.keywords}, f"line {call.lineno}"


def test_a_complaint_without_a_hint_is_found() -> None:
    [call] = calls('_log.info("a")\n_log.warning("b", error="c")\n')
    assert {keyword.arg for keyword in call.keywords} == {"error"}
    assert sum(len(calls(file.read_text("utf-8"))) for file in FILES) > 20


@pytest.mark.parametrize("room", ["worker", "lean", "router"])
def test_a_line_about_a_record_says_so_in_the_same_fields(room: str) -> None:
    """By `core.log.about`, which cuts the custom_id and has the trace: no field of it is written by hand."""
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for file in files:
        for call in log_calls(file.read_text("utf-8")):
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            if "custom_id" in named:
                assert ast.unparse(named["custom_id"]).startswith("cut_id("), f"{file}, line {call.lineno}"
            assert not {"offset", "trace_id"} & named.keys(), f"{file}, line {call.lineno}"


def test_a_line_with_a_field_by_hand_is_found() -> None:
    [call] = log_calls('_log.debug("a", custom_id=job.request.custom_id)\nlog("b")\n')
    assert [keyword.arg for keyword in call.keywords] == ["custom_id"]


def log_calls(source: str) -> list[ast.Call]:
    """Every call that logs something, at whatever level."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log.")
    ]
