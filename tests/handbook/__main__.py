"""Write the parts of the documentation that are made from the code."""

from __future__ import annotations

import sys

from handbook.pages import GENERATED, with_generated


def main() -> None:
    """Bring every page that has generated parts up to date, and say which changed."""
    for page in GENERATED:
        before = page.read_text("utf-8")
        after = with_generated(before)
        if after != before:
            page.write_text(after, "utf-8")
            sys.stdout.write(f"written: {page.name}\n")


if __name__ == "__main__":
    main()
