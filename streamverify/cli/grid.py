"""Lays rows out in columns that fit into a terminal: texts to the left, numbers to the right. Prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from streamverify.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "


@dataclass(frozen=True, slots=True)
class GridColumn:
    """A column. What does not fit is shrunk where `least` says so, then left out, the highest `drop` first."""

    head: str
    right: bool = False
    least: int = 0
    """Cells to which it may shrink; 0: it is shown whole."""
    drop: int = 0
    """Its turn to be left out; 0: never."""
    room: int = 0
    """Cells that it has at least, so that a view that is drawn again and again does not move with each number."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with its style."""

    text: str
    style: str = ""


def plain(text: str) -> str:
    """Make one line of a text from outside, without anything that would steer a terminal."""
    return " ".join(printable(text).split())


def fit(text: str, width: int) -> str:
    """Cut a line to so many cells; an ellipsis says that it was cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def grid(columns: Sequence[GridColumn], rows: Sequence[Sequence[Cell | str]], width: int) -> list[Text]:
    """Lay out the rows under a head.

    Args:
        columns: The columns.
        rows: A cell for each column; their texts may come from anywhere.
        width: Cells of a line.

    Returns:
        The head, and a line for each row; none is wider than `width`.
    """
    cells = [
        [Cell(plain(cell.text), cell.style) if isinstance(cell, Cell) else Cell(plain(cell)) for cell in row]
        for row in rows
    ]
    natural = [
        max([cell_len(column.head), column.room, *(cell_len(row[number].text) for row in cells)])
        for number, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    # Shrinking comes before leaving out: a shortened name says more than none.
    while True:
        widths = _shrunk([natural[number] for number in kept], [columns[number] for number in kept], width)
        droppable = [number for number in kept if columns[number].drop]
        if _total(widths) <= width or not droppable:
            break
        kept.remove(max(droppable, key=lambda number: columns[number].drop))
    heads = [Cell(column.head, "bold") for column in columns]
    return [_line([(row[number], columns[number], w) for number, w in zip(kept, widths, strict=True)], width)
            for row in [heads, *cells]]  # fmt: skip


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _shrunk(widths: list[int], columns: Sequence[GridColumn], width: int) -> list[int]:
    """Take what is too much from the columns that may shrink, from the widest first."""
    widths = list(widths)
    while _total(widths) > width:
        may = [number for number, column in enumerate(columns) if column.least and widths[number] > column.least]
        if not may:
            break
        widths[max(may, key=lambda number: widths[number])] -= 1
    return widths


def _line(cells: Sequence[tuple[Cell, GridColumn, int]], width: int) -> Text:
    line, used = Text(no_wrap=True), 0
    for number, (cell, column, wanted) in enumerate(cells):
        room = min(wanted, width - used)
        if room <= 0:
            break
        text = fit(cell.text, room)
        padding = " " * (room - cell_len(text))
        line.append(padding if column.right else "").append(text, cell.style).append("" if column.right else padding)
        used += room
        if number + 1 < len(cells):
            gap = GAP[: max(0, width - used)]
            line.append(gap)
            used += len(gap)
    line.rstrip()
    return line
