"""Every warning and error tells an operator what it means and what to do: it has a `hint`."""

from __future__ import annotations

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
