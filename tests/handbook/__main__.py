"""Write the parts of the documentation, and the files of the Helm chart, that are made from the code."""

from __future__ import annotations

import sys

from handbook.chart import chart_files
from handbook.pages import GENERATED, with_generated


def main() -> None:
    """Bring every page that has generated parts up to date, and say which changed."""
    for page in GENERATED:
        before = page.read_text("utf-8")
        after = with_generated(before)
        if after != before:
            page.write_text(after, "utf-8")
            sys.stdout.write(f"written: {page.name}\n")
    for path, after in chart_files().items():
        if not path.exists() or path.read_text("utf-8") != after:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(after, "utf-8")
            sys.stdout.write(f"written: {path.name}\n")


if __name__ == "__main__":
    main()
