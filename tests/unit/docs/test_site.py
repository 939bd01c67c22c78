"""The site's menu and the pages that are made for it. That it can be built, strict, is checked by `make site`."""

from __future__ import annotations

import json
import re

from handbook.made_pages import decisions, folder, notebook
from handbook.navigation import INDEX, Entry, parts, resolved, slug, title_of
from support import ROOT

MENU = parts((ROOT / INDEX).read_text("utf-8"))
CONFIG = (ROOT / "mkdocs.yml").read_text("utf-8")


def test_the_menu_has_four_parts_with_entries_that_are_there() -> None:
    assert list(MENU) == ["Tutorial", "How-to", "Reference", "Explanation"]
    entries = [entry for part in MENU.values() for entry in part]
    assert [entry.path for entry in entries if not (ROOT / entry.path).exists()] == []
    assert all(MENU.values())


def test_a_menu_is_read_from_tables_with_one_link_in_a_row() -> None:
    index = (
        "# Docs\n[out](of.md)\n\n## How-to\n\n| a | b |\n|---|---|\n| x | [Page](page.md) |\n| y | [Up](../UP.md) |\n"
    )
    assert parts(index) == {"How-to": [Entry("Page", "docs/page.md"), Entry("Up", "UP.md")]}


def test_paths_and_headings_are_those_of_github() -> None:
    assert resolved("docs/a/b.md", "../c.md") == "docs/c.md"
    assert resolved("README.md", "docs/decisions/") == "docs/decisions"
    assert slug("`MEMORY_PER_REPL` and the plan, of slots") == "memory_per_repl-and-the-plan-of-slots"
    assert title_of("<!-- x -->\n# The `serve` page\n") == "The serve page"


def test_decisions_are_listed_by_the_number_of_their_file() -> None:
    texts = {"docs/decisions/0008-b.md": "# 0008: Two\n", "docs/decisions/0001-a.md": "# 1. One\n", "docs/x.md": "# X"}
    assert decisions(texts).splitlines()[-2:] == ["- [1. One](0001-a.md)", "- [8. Two](0008-b.md)"]


def test_a_folder_is_shown_with_its_files() -> None:
    page = folder("docs/examples/kcat")
    assert page.startswith("# docs/examples/kcat\n")
    assert "\n## produce.sh\n\n````sh\n#!" in page
    assert "\n## " not in folder("streamverify")


def test_a_notebook_is_shown_with_what_it_printed() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "words"]},
        {
            "cell_type": "code",
            "source": ["print(1)\n", "2"],
            "outputs": [{"text": ["1\n"]}, {"data": {"text/plain": "2"}}],
        },
    ]
    assert notebook(json.dumps({"cells": cells})) == (
        "# A\nwords\n\n```python\nprint(1)\n2\n```\n\n```text\n1\n```\n\n```text\n2\n```\n"
    )


def test_the_site_asks_no_other_host_for_fonts() -> None:
    assert re.search(r"^  font: false$", CONFIG, re.MULTILINE)
    assert not re.search(r"^[^#]*https?://", CONFIG, re.MULTILINE)
