"""Tables that are printed while their rows come: any number of rows, in constant memory."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from streamverify.cli.grid import GAP, fit
from streamverify.cli.output import printable, stdout

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST = 10
"""Cells that the widest column has at least, however narrow the terminal."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its width in cells; width 0 takes what the others leave of the line, at the end of the row."""

    head: str
    width: int
    right: bool = False


class StreamedTable:
    """Prints each row at once. Its widths are fixed before the first: a cell that is too long ends in an ellipsis."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.rows = 0
        self._console = stdout()
        fixed = sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)
        rest = max(_LEAST, self._console.width - fixed)
        self._columns = [(column, column.width or rest) for column in columns]

    def add(self, *cells: str, styles: Sequence[str] = ()) -> None:
        """Print a row, and before the first one the head.

        Args:
            cells: The text of each column.
            styles: The style of each; shown on a terminal only.
        """
        if not self.rows:
            self._print([column.head for column, _ in self._columns], ["bold"] * len(self._columns))
        self.rows += 1
        self._print(cells, styles)

    def _print(self, cells: Sequence[str], styles: Sequence[str]) -> None:
        fitted = []
        for cell, (column, width) in zip(cells, self._columns, strict=True):
            text = fit(" ".join(printable(cell).split("\n")), width)
            padding = " " * (width - cell_len(text))
            fitted.append(padding + text if column.right else text + padding)
        if not self._console.is_terminal:
            # Without rich, which takes a tenth of a millisecond for a line.
            sys.stdout.write(GAP.join(fitted).rstrip() + "\n")
            return
        line = Text(GAP).join(
            Text(cell, style=style) for cell, style in zip(fitted, [*styles, *[""] * len(fitted)], strict=False)
        )
        line.rstrip()
        self._console.print(line, soft_wrap=True)


class CsvTable:
    """Prints rows as CSV (RFC 4180, with Unix line ends); the names of the columns come first, also without rows."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(columns)

    def add(self, *cells: Any) -> None:
        """Print a row; None is empty, and a truth value is `true` or `false` as in JSON."""
        self._writer.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in cells])
