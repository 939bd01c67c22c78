"""Decides which complaints are logged: one that goes on is logged once. Pure: `now` is passed in."""

from __future__ import annotations

from streamverify.core.bounded_dict import BoundedDict

MAX_KINDS = 1_000
"""Kinds that are remembered; whoever complains of more is forgotten in the order of time."""


class Once:
    """Remembers when each kind of complaint was last heard."""

    def __init__(self, quiet_seconds: float) -> None:
        """Begin with nothing heard; a kind that was not heard for `quiet_seconds` is new again."""
        self._quiet = quiet_seconds
        self._heard: BoundedDict[str, float] = BoundedDict(MAX_KINDS)

    def is_new(self, kind: str, now: float) -> bool:
        """Tell whether this kind has to be said: it was not heard for the quiet time, or never."""
        last = self._heard.get(kind)
        self._heard[kind] = now
        return last is None or now - last >= self._quiet
