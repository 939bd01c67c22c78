"""Pages of the site that are no files: what GitHub shows by itself, a folder or a notebook, as Markdown."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING

from handbook.navigation import DECISIONS, ROOT, title_of, tracked

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN_BYTES = 80_000
"""Folders with more text than this are listed, and their files not shown."""


def decisions(texts: Mapping[str, str]) -> str:
    """Make the list of the decisions by their titles, each with the number of its file."""
    rows = ["# Decisions", "", "What was decided, what against, and why.", ""]
    for page, text in sorted(texts.items()):
        if page.startswith(f"{DECISIONS}/"):
            name = posixpath.basename(page)
            title = re.sub(r"^[0-9]+[.:] ", "", title_of(text))
            rows.append(f"- [{int(name[:4])}. {title}]({name})")
    return "\n".join(rows) + "\n"


def folder(path: str) -> str:
    """Make the page of a folder without a README: its files, and what is in them where that is not too much."""
    names = sorted(name for name in tracked() if name.startswith(f"{path}/"))
    contents = {name.removeprefix(f"{path}/"): (ROOT / name).read_bytes() for name in names}
    page = f"# {path}\n\nA folder of the repository.\n\n" + "".join(f"- `{name}`\n" for name in contents)
    if sum(map(len, contents.values())) > _SHOWN_BYTES or b"\0" in b"".join(contents.values()):
        return page
    for name, content in contents.items():
        language = posixpath.splitext(name)[1].removeprefix(".") or "text"
        page += f"\n## {name}\n\n````{language}\n{content.decode('utf-8').rstrip()}\n````\n"
    return page


def notebook(text: str) -> str:
    """Make the page of a notebook: its cells in order, with what they printed when it was last run."""
    page = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            page.append(source)
            continue
        page.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            said = "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
            page += [f"```text\n{said.rstrip()}\n```"] if said else []
    return "\n\n".join(page) + "\n"
