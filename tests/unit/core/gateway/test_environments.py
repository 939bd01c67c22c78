"""The setting ENVIRONMENTS as it is read."""

from __future__ import annotations

import pytest

from streamverify.core.gateway.environments import GatewayEnvironment, parse_environments


def test_environments() -> None:
    assert parse_environments("") == {}
    assert parse_environments(" lean-4.9.0 = a.proofs:a.results; x=b:c : Mathlib Aesop ;") == {
        "lean-4.9.0": GatewayEnvironment("lean-4.9.0", "a.proofs", "a.results"),
        "x": GatewayEnvironment("x", "b", "c", "import Mathlib\nimport Aesop\n"),
    }


@pytest.mark.parametrize("text", ["a", "a=b", "a=b:", "a=b:c:theorem x", "a b=c:d", "a=b:c; a=d:e", "a=b:c:d:e"])
def test_wrong_environments_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not NAME=|comes twice|names no modules"):
        parse_environments(text)
