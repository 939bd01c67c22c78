"""The tiers of assurance, which say how much the status `verified` is worth, in their order."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Require = Literal["checked", "audited", "replayed", "cross_checked"]
"""The assurances that a request or a setting may ask for."""


class Assurance(StrEnum):
    """The worth of `verified`. Members are ordered by it, not by their letters as other strings are.

    A comparison with anything else is refused: an assurance that a newer worker has invented has no known place.
    """

    NONE = "none"
    CHECKED = "checked"
    AUDITED = "audited"
    REPLAYED = "replayed"
    CROSS_CHECKED = "cross_checked"

    @property
    def rank(self) -> int:
        """The place in the order, from 0 for `none`."""
        return _ORDER.index(self)

    def __lt__(self, other: str) -> bool:
        return self.rank < _known(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= _known(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > _known(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= _known(other).rank


# Members are strings, and `<` on strings goes by letters: `audited` would be below `checked`.
_ORDER = tuple(Assurance)


def _known(other: object) -> Assurance:
    if not isinstance(other, Assurance):
        raise TypeError(f"an assurance has no order with {other!r}")
    return other


def is_enough(assurance: str, asked: Assurance) -> bool:
    """Tell whether what a result says of its worth is enough for what was asked for.

    A word that is not known here is not enough for anything: where it stands in the order is not known either.
    """
    return assurance in frozenset(Assurance) and Assurance(assurance) >= asked
