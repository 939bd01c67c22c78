"""What is printed for people is the text that was given, whatever rich could make of it."""

from __future__ import annotations

import pytest
from rich.markup import escape
from rich.table import Table

from streamverify.cli.output import error_line, remark, stdout

# Codes that rich turns into pictures, one of them within an address, and marks of its styles.
TEXTS = ["a:b:c", "Proofs/:x:.lean", "x :smile: y", "[bold]x[/]", "[/]"]


@pytest.mark.parametrize("text", TEXTS)
def test_errors_and_remarks_are_printed_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    error_line(text)
    remark(text)
    assert capsys.readouterr().err == f"error: {text}\nnote: {text}\n"


@pytest.mark.parametrize("text", TEXTS)
def test_cells_of_tables_are_printed_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("head", box=None, pad_edge=False)
    table.add_row(escape(text))
    stdout().print(table)
    assert capsys.readouterr().out.splitlines()[-1].rstrip() == text
