"""Signs the entries of a store that others may write to, and believes only what was signed with the same secret. Pure.

    name   HMAC-SHA-256 of the key's digest: whoever reads the store cannot tell whose proof it is about
    value  magic | time of the verdict in ms, 8 bytes | content | HMAC-SHA-256 of all that and of the name

So a verdict cannot be forged without the secret, a valid value is of no use under another name, and its age cannot be
changed. What can be done is to take entries away, or to put back an older one of the same name, with its true age.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

MAGIC = b"svc1"
"""Changes with every change of the form: an entry of another one is not read."""
MAX_ENTRY = 1 << 20
"""Bytes of a value at most."""
MAX_AHEAD = 3600.0
"""Seconds by which the clock of another worker may be ahead of ours. What is further ahead would never grow old."""
MIN_SECRET = 16
"""Characters of a secret at least."""

_TIME = 8
_MAC = 32


class Opened(NamedTuple):
    """The content of a valid value. `created` is in seconds since the epoch."""

    content: bytes
    created: float


class Seal:
    """The secret of a cache."""

    def __init__(self, secret: bytes) -> None:
        # Hashed, because to HMAC a secret and the same one with zeros after it are one. Two keys, so that no name can
        # be used as a signature.
        secret = hashlib.sha256(secret).digest()
        self._naming = hmac.digest(secret, b"streamverify result cache: names", "sha256")
        self._signing = hmac.digest(secret, b"streamverify result cache: values", "sha256")

    def name(self, key: bytes) -> bytes:
        """Name the entry of a key, in 32 bytes."""
        return hmac.digest(self._naming, key, "sha256")

    def close(self, name: bytes, content: bytes, created: float) -> bytes:
        """Make the value of an entry; `created` is in seconds since the epoch."""
        value = MAGIC + int(created * 1000).to_bytes(_TIME, "big") + content
        return value + self._sign(name, value)

    def open(self, name: bytes, value: bytes, now: float, max_age: float) -> Opened | None:
        """Read a value; None where it is not ours, is about something else, or is too old.

        Args:
            name: The name that it was asked for by.
            value: What the store says, whoever wrote it.
            now: The time, in seconds since the epoch.
            max_age: Seconds after which it does not count any more.
        """
        if not len(MAGIC) + _TIME + _MAC <= len(value) <= MAX_ENTRY or not value.startswith(MAGIC):
            return None
        signed, mac = value[:-_MAC], value[-_MAC:]
        if not hmac.compare_digest(mac, self._sign(name, signed)):
            return None
        created = int.from_bytes(signed[len(MAGIC) : len(MAGIC) + _TIME], "big") / 1000
        if not -MAX_AHEAD <= now - created <= max_age:
            return None
        return Opened(signed[len(MAGIC) + _TIME :], created)

    def _sign(self, name: bytes, signed: bytes) -> bytes:
        # Names all have one length, so no part of a name can be taken for a part of a value.
        return hmac.digest(self._signing, name + signed, "sha256")
