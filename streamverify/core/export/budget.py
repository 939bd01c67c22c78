"""Counts what an export costs beside one row of a table for each line: memory and time that one line can ask for.

A step is about 32 bytes, or one look at something that was seen before.
"""

from __future__ import annotations

from streamverify.core.export.lines import ExportError

NAME = 8
"""The steps of a name."""

LEVEL = 8
"""The steps of a level, and of a literal beside its text."""

CONSTANT = 16
"""The steps of a declared constant."""


class Budget:
    """Counts steps until there are too many."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take steps.

        Raises:
            ExportError: They are more than are left.
        """
        self._left -= steps
        if self._left < 0:
            raise ExportError(f"it takes more than {self._steps} steps beside its lines", too_large=True)
