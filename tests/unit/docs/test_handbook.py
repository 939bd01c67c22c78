"""What pages say of exit codes, reasons, warnings and commands is what the code has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from handbook.complaints import complaints, texts
from handbook.pages import GENERATED, PARTS, with_generated
from support import ROOT

from streamverify.cli.app import EXIT_CODES
from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from pathlib import Path

TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.name)
def test_the_generated_parts_are_up_to_date(page: Path) -> None:
    assert page.read_text("utf-8") == with_generated(page.read_text("utf-8")), "run: make docs"


def test_every_generated_part_stands_on_a_page() -> None:
    named = {name for page in GENERATED for name in re.findall(r"made by `make docs`: (\w+)", page.read_text("utf-8"))}
    assert named == set(PARTS)


def section(page: str, heading: str) -> str:
    return page.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_every_reason_has_a_cure() -> None:
    cells = re.findall(r"^\| ([^|]*) \|", section(TROUBLESHOOTING, "Reasons"), flags=re.MULTILINE)
    assert {word for cell in cells for word in re.findall(r"`(\w+)`", cell)} == set(Reason)


@pytest.mark.parametrize("page", [TROUBLESHOOTING, README], ids=["troubleshooting", "README"])
def test_every_exit_code_is_explained(page: str) -> None:
    codes = re.findall(r"^  (\d+) ", EXIT_CODES, flags=re.MULTILINE)
    assert re.findall(r"^\| (\d+) \|", section(page, "Exit codes"), flags=re.MULTILINE) == codes


def test_a_hint_is_read_however_it_is_written() -> None:
    import ast  # noqa: PLC0415 - this test's alone

    def read(source: str) -> list[str]:
        return list(texts(ast.parse(source, mode="eval").body))

    assert read("'a'") == ["a"]
    assert read("f'a {b} c'") == ["a … c"]
    assert read("'a' if x else f'{b}'") == ["a", "…"]
    assert read("words") == ["(words)"]
    assert len(complaints()) > 20


INDEX = (ROOT / "docs" / "README.md").read_text("utf-8")


def test_every_page_is_in_one_part_of_the_index() -> None:
    pages = sorted(page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md")
    rows = re.findall(r"^\| .* \| \[[^\]]+\]\(([^)]+)\) \|$", INDEX, flags=re.MULTILINE)
    wrong = [page for page in pages if rows.count(page) != 1]
    assert wrong == [], (
        f"give each of {wrong} one row in one of the four parts of docs/README.md: "
        "| what one wants to do or know | [Title in the menu](page.md) |"
    )


def test_each_link_of_the_index_has_a_title_and_no_file_name() -> None:
    # The site's menu shows it.
    titles = re.findall(r"\[([^\]]+)\]\([^)]+\)", INDEX.partition("\n## ")[2])
    assert [title for title in titles if title.endswith((".md", ".json", "/"))] == []
    assert len(titles) == len(set(titles)) > 30
