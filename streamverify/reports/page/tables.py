"""Tables of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.reports.page.elements import element, extend
from streamverify.reports.page.words import MISSING, count, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from streamverify.core.reports.report_model import Durations

DURATION_HEADS = ("", "#proofs", "#p50", "#p90", "#p99", "#longest", "#mean", "#sum")


def table(heads: Sequence[str], rows: Sequence[Sequence[Element | str | None]], caption: str | None = None) -> Element:
    """Make a table that scrolls by itself where the page is too narrow for it.

    Args:
        heads: The name of each column; `#` before it aligns the column to the right.
        rows: The cells; an element with the tag `td` is a cell already. The first cell of a row names the row.
        caption: What the table shows.
    """
    styles = ["number" if head.startswith("#") else None for head in heads]
    head = element("tr")
    for name, style in zip(heads, styles, strict=True):
        head.append(element("th", name.removeprefix("#"), class_=style, scope="col"))
    body = element("tbody")
    for cells in rows:
        row = element("tr")
        for at, (cell, style) in enumerate(zip(cells, styles, strict=True)):
            if isinstance(cell, str) or cell is None or cell.tag not in {"td", "th"}:
                row.append(element("th" if at == 0 else "td", cell, class_=style, scope="row" if at == 0 else None))
            else:
                row.append(cell)
        body.append(row)
    made = element("table", element("caption", caption) if caption else None, element("thead", head), body)
    # The keyboard must reach what a pointer can scroll.
    return element("div", made, class_="scroll", tabindex="0", role="group", aria_label=caption or heads[0] or "table")


def status(name: str | None) -> Element:
    """Show a status in its colour."""
    shown = name or "unsent"
    return element("span", shown, class_=f"status {shown}")


def duration_row(name: str, every: Durations) -> list[Element | str | None]:
    """Make the cells of a row of `DURATION_HEADS`."""
    figures = (every.p50, every.p90, every.p99, every.longest, every.mean)
    return [name, count(every.count), *map(seconds, figures), seconds(every.total) if every.count else MISSING]


def facts(pairs: Sequence[tuple[str, Element | str | None]]) -> Element:
    """List names with their values; those without a value are left out."""
    made = element("dl")
    for name, value in pairs:
        if value is not None:
            extend(made, (element("dt", name), element("dd", value)))
    return made
