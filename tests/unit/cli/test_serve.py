"""What `serve` decides before it starts anything."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from streamverify.cli.serve import EMBEDDED, child_settings, first_lines, listening_address
from streamverify.core.errors import SettingsError
from streamverify.core.messages.models import Verifier
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAN = Verifier(kind="lean", sandbox="bwrap", lean_version="4.35.0")
STAND_IN = Verifier(kind="replay")
PARTITION = 5 * 1024 * 1024
"""What the embedded broker keeps of a partition."""


def chosen(verifier: Verifier = LEAN, *, own_broker: bool = True, **given: Any) -> Mapping[str, str]:
    return child_settings(Settings(**given), verifier, own_broker=own_broker, port=8001, ready_port=9001)


def test_what_was_set_is_passed_on_secrets_too() -> None:
    passed = chosen(own_broker=False, slots=3, api_keys="ann=a-long-secret", request_topic="mine", log_level="info")
    assert passed == {
        "slots": "3",
        "api_keys": "ann=a-long-secret",
        "request_topic": "mine",
        "log_level": "info",
        "gateway_port": "8001",
        "http_port": "9001",
        "http_host": "127.0.0.1",
    }


def test_on_the_embedded_broker_never_more_is_admitted_than_it_keeps() -> None:
    passed = chosen(gateway_in_flight=100_000, gateway_in_flight_bytes=10**9, drain_timeout=600)
    records, characters = int(passed["gateway_in_flight"]), int(passed["gateway_in_flight_bytes"])
    # A character may be six bytes in JSON; key, header and fields of a record have less than a kilobyte.
    assert 6 * characters + 1024 * records < PARTITION
    assert float(passed["drain_timeout"]) == 5
    # Less than that stays as it was set, and a Kafka of one's own has no such limit.
    assert chosen(gateway_in_flight=7)["gateway_in_flight"] == "7"
    assert not EMBEDDED.keys() & chosen(own_broker=False).keys()


@pytest.mark.parametrize(
    ("verifier", "given", "require"),
    [(LEAN, {}, None), (STAND_IN, {}, "checked"), (STAND_IN, {"require": "audited"}, "audited")],
)
def test_a_stand_in_is_not_asked_for_an_audit_unless_somebody_says_so(
    verifier: Verifier, given: dict[str, Any], require: str | None
) -> None:
    assert chosen(verifier, **given).get("require") == require


def test_the_first_lines_say_what_it_is_and_what_verifies() -> None:
    settings = Settings(bootstrap_servers="kafka:9092")
    for own_broker, word in ((True, "a broker in memory"), (False, "on Kafka at kafka:9092")):
        assert word in first_lines(settings, LEAN, {}, own_broker=own_broker)[0]
    assert "Lean 4.35.0, sandbox bwrap; assurance audited" in first_lines(settings, LEAN, {}, own_broker=True)[1]
    assert "replay, which is no Lean: nothing is checked" in first_lines(settings, STAND_IN, {}, own_broker=True)[1]


def test_the_port_is_tried_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port} .*0 takes a free port"):
            listening_address(Settings(gateway_port=port))
        host, free = listening_address(Settings(gateway_port=0))
    assert (host, free != port) == ("localhost", True)
    assert listening_address(Settings(gateway_port=0, gateway_host="127.0.0.2"))[0] == "127.0.0.2"
