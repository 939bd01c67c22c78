"""The documentation names files that exist, links that lead somewhere, and a picture whose boxes are files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from handbook.navigation import slug
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
PACKAGE = ROOT / "streamverify"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        # What building the examples leaves there is not ours.
        *(page for page in (ROOT / "docs").rglob("*.md") if "target" not in page.parts),
        *(ROOT / "schemas").glob("*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]
)
MAX_WORDS_OF_OUR_OWN = 10
MAX_WIDTH = 120


def is_there(path: str, folder: Path | None = None) -> bool:
    """Whether a path of ARCHITECTURE.md exists: in the package, in the repository, or beside its row's folder."""
    return any((place / path).exists() for place in (PACKAGE, ROOT, *([folder] if folder else ())))


def named_paths(line: str) -> Iterator[str]:
    """The paths in code font: what ends in a slash or has the ending of a file."""
    for quoted in re.findall(r"`([^`\s]+)`", line):
        if quoted.endswith(("/", ".py", ".md", ".json", "Dockerfile", ".importlinter")):
            yield quoted


def missing_paths(page: str) -> list[str]:
    missing = []
    for line in page.splitlines():
        first = re.match(r"\| `([^`]+/)` \|", line)
        folder = PACKAGE / first[1] if first else PACKAGE
        missing += [path for path in named_paths(line) if not is_there(path, folder)]
    return missing


def boxes(page: str) -> list[str]:
    [picture] = re.findall(r"```mermaid\n(.*?)```", page, flags=re.DOTALL)
    return re.findall(r'\["([^"]+)"\]', picture)


def test_every_path_in_the_architecture_exists() -> None:
    assert missing_paths(ARCHITECTURE) == []
    assert sum(len(list(named_paths(line))) for line in ARCHITECTURE.splitlines()) > 80


def test_a_path_that_is_not_there_is_found() -> None:
    assert missing_paths("| `core/` | | `ledger.py` and `errors.py` |\nsee `worker/health.py`") == [
        "ledger.py",
        "worker/health.py",
    ]


def test_every_box_of_the_picture_is_a_file() -> None:
    drawn = boxes(ARCHITECTURE)
    assert [box for box in drawn if not (PACKAGE / box).is_file()] == []
    assert len(drawn) == len(set(drawn)) > 10
    # Each box is declared once and used by its name: a name without a box would be drawn as a box of that name.
    [picture] = re.findall(r"```mermaid\n(.*?)```", ARCHITECTURE, flags=re.DOTALL)
    bare = re.sub(r'\|[^|]*\||\["[^"]+"\]|\(\[[^\]]+\]\)', "", picture)
    names = set(re.findall(r"\b[a-z]+\b", bare)) - {"flowchart"}
    declared = set(re.findall(r'\b([a-z]+)(?:\["|\(\[)', picture))
    assert names == declared


def test_the_folders_of_the_package_are_in_the_map() -> None:
    rooms = {
        folder.relative_to(PACKAGE).as_posix() + "/"
        for folder in PACKAGE.rglob("*")
        if (folder / "__init__.py").is_file()
    }
    assert [room for room in sorted(rooms) if f"| `{room}` |" not in ARCHITECTURE] == []


def test_at_most_ten_words_of_our_own_are_defined() -> None:
    section = ARCHITECTURE.partition("## Words of our own")[2].partition("\n## ")[0]
    words = re.findall(r"^\| ([a-z -]+) \|", section, flags=re.MULTILINE)
    assert words[0] == "word"
    assert 0 < len(words) - 1 <= MAX_WORDS_OF_OUR_OWN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, section in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            linked = page.parent / target if target else page
            assert linked.exists(), target
            assert not section or section in sections(linked.read_text("utf-8")), f"{target}#{section}"


HOSTS = {"arxiv.org", "github.com", "opentelemetry.io", "www.w3.org"}
"""Other hosts that pages may link to. No test asks them: whether the page there exists still is for people to see."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_other_hosts_are_https_and_to_hosts_that_are_known(page: Path) -> None:
    for link in re.findall(r"\]\(([a-z]+:[^)\s]*)\)|<(https?:[^>\s]+)>", page.read_text("utf-8")):
        found = re.fullmatch(r"https://([a-z0-9.-]+)(?:/[\w./~%#?=&+-]*)?", link[0] or link[1])
        assert found, f"{link}: no link of the form https://host/path"
        assert found[1] in HOSTS, f"{found[1]} is none of HOSTS in {__name__}: add it if it is meant"


def sections(page: str) -> set[str]:
    """The names of the headings of a page in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)
    return {slug(heading) for heading in headings}


def test_a_heading_is_linked_to_as_github_names_it() -> None:
    assert sections("# A\n## `MEMORY_PER_REPL` and the plan, of slots") == {
        "a",
        "memory_per_repl-and-the-plan-of-slots",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(
        re.findall(
            r"`((?:streamverify/|core/|lean/|bus/|worker/|router/|client/|cli/|tests/|benchmarks/|schemas/)[\w/.-]+\.\w+)`",
            text,
        )
    )
    assert [path for path in sorted(named) if not is_there(path)] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(file.name[:4]) for file in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def too_wide(page: str) -> list[str]:
    """The lines of prose that are too wide: tables cannot be broken, and code is as wide as it is."""
    prose = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    return [line for line in prose.splitlines() if len(line) > MAX_WIDTH and not line.startswith(("|", "    "))]


@pytest.mark.parametrize(
    "page",
    PAGES,
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_prose_is_at_most_120_characters_wide(page: Path) -> None:
    assert too_wide(page.read_text("utf-8")) == []
