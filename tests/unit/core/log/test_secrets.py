"""What is left out of texts that are logged."""

from __future__ import annotations

from streamverify.core.log.secrets import without_secrets


def test_addresses_are_told_without_their_secrets() -> None:
    assert without_secrets("http://me:pw@host:1/x and https://t@h") == "http://***@host:1/x and https://***@h"
