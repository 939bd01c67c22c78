"""The interface of a store. A store knows nothing of verdicts and of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

from streamverify.core.errors import StreamVerifyError
from streamverify.settings.cache import REDIS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class StoreFailed(StreamVerifyError):
    """A store does not answer, or refuses what it is asked. Its text is one line, and has no password."""


class Entry(NamedTuple):
    """One entry for a store."""

    name: bytes
    value: bytes
    weight: int
    """The worth of the verdict: an entry is not replaced by one that weighs less."""


class Store(Protocol):
    """Keeps values by name. Values may be lost at any time; whoever reads one believes nothing that is not signed."""

    label: str
    """Its name in the log, without a password."""

    async def check(self) -> None:
        """Open it if it is not open, and see that it can be read and written.

        Raises:
            StoreFailed: It cannot.
        """
        ...

    async def get_many(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the values of those names that are there.

        Raises:
            StoreFailed: It does not say.
        """
        ...

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Keep these entries.

        Raises:
            StoreFailed: It does not keep them.
        """
        ...

    async def close(self) -> None:
        """Give its resources back. Raises nothing."""
        ...


def without_password(url: str) -> str:
    """Return the setting CACHE as it may be shown: the URL of a Redis without its user and password."""
    if not url.startswith(REDIS):
        return url
    parts = urlsplit(url)
    if "@" not in parts.netloc and "password" not in parts.query:
        return url
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{'***@' if '@' in parts.netloc else ''}{host}{parts.path}"
