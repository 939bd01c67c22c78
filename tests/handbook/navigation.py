"""The site's menu, read from docs/README.md: that page has it in four parts, so that nothing has to be said twice."""

from __future__ import annotations

import posixpath
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
INDEX = "docs/README.md"
DECISIONS = "docs/decisions"

_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)\)")


class Entry(NamedTuple):
    """One entry of the menu. `path` is that of a page, or of a folder, in the repository."""

    title: str
    path: str


@cache
def tracked() -> frozenset[str]:
    """Every file of the repository, those included that are not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return frozenset(name for name in said.split("\0") if name and (ROOT / name).is_file())


def pages() -> list[str]:
    """The Markdown files that are pages of the site: of the whole repository but the data of tests."""
    found = {name for name in tracked() if name.endswith(".md") and not name.startswith("tests/")}
    return sorted(found)


def parts(index: str) -> dict[str, list[Entry]]:
    """The parts of the index and their entries, in its order: one link in each row of a table."""
    found: dict[str, list[Entry]] = {}
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        rows = [line for line in body.splitlines() if line.startswith("|")]
        links = [_LINK.findall(row) for row in rows]
        found[heading] = [Entry(title, resolved(INDEX, target)) for [(title, target)] in filter(None, links)]
    return found


def resolved(page: str, target: str) -> str:
    """The path in the repository that a relative link on a page leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def slug(heading: str, _separator: str = "-") -> str:
    """The name of a heading in links, as GitHub makes it: so a link works there and on the site."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def title_of(page: str) -> str:
    """The first heading of a page, without the signs of Markdown."""
    found = re.search(r"^# (.+)$", page, flags=re.MULTILINE)
    return found[1].replace("`", "") if found else ""
