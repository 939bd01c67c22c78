"""Knows who may call: named API keys. Pure."""

from __future__ import annotations

import hmac
import re

ANYBODY = "anybody"
"""The name in logs of whoever calls where no keys are set."""

_ENTRY = re.compile(r"([A-Za-z0-9_.-]{1,64})=([!-~]{8,})")


class ApiKeys:
    """The keys that are accepted, each with the name that stands for it in logs: the key itself is never logged."""

    def __init__(self, named: dict[str, str]) -> None:
        self._named = [(name, key.encode()) for name, key in named.items()]

    @classmethod
    def parse(cls, text: str) -> ApiKeys:
        """Read `name=key`, several separated by blanks or commas.

        Raises:
            ValueError: An entry has no name, its key has fewer than eight characters or some beyond ASCII, or a name or
                key comes twice.
        """
        named: dict[str, str] = {}
        for entry in filter(None, re.split(r"[\s,]+", text)):
            match = _ENTRY.fullmatch(entry)
            if match is None:
                # Not the entry itself: it has a secret. HTTP's headers have no encoding: clients differ beyond ASCII.
                raise ValueError(
                    "each entry is NAME=KEY, with a key of at least eight ASCII characters, without blanks and commas"
                )
            name, key = match.groups()
            if name in named or key in named.values():
                raise ValueError(f"the name or the key of `{name}` comes twice")
            named[name] = key
        return cls(named)

    @property
    def names(self) -> str:
        """The names, for the log."""
        return " ".join(name for name, _ in self._named)

    def __bool__(self) -> bool:
        return bool(self._named)

    def name_of(self, authorization: str | None) -> str | None:
        """Return the name of the key in an `Authorization` header; None where it is none of ours."""
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = None
        # Each key is compared, to its end: how long it takes says nothing of which one is how nearly right.
        for name, key in self._named:
            if hmac.compare_digest(key, given.strip().encode("utf-8", "replace")):
                found = name
        return found
