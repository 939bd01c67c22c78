"""Where the gateway listens, and what it says of that."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from gateway_fakes import a_gateway
from structlog.testing import capture_logs

from streamverify.core.errors import SettingsError
from streamverify.gateway.lifecycle import announce, host_of, listen
from streamverify.settings import load_settings


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "127.0.0.1"),
        ({"api_keys": "a=secret-one"}, "0.0.0.0"),  # noqa: S104
        ({"api_keys": "a=secret-one", "gateway_host": "127.0.0.1"}, "127.0.0.1"),
        ({"gateway_host": "10.0.0.1"}, "10.0.0.1"),
    ],
)
def test_without_keys_it_is_on_loopback_unless_told_otherwise(settings: dict[str, Any], host: str) -> None:
    assert host_of(load_settings(**settings)) == host


@pytest.mark.parametrize(
    ("settings", "host", "warned"),
    [
        ({}, "127.0.0.1", False),
        ({}, "::1", False),
        ({}, "10.0.0.1", True),
        ({"api_keys": "a=secret-one"}, "10.0.0.1", False),
    ],
)
def test_an_open_address_without_keys_is_warned_of(settings: dict[str, Any], host: str, warned: bool) -> None:  # noqa: FBT001
    with capture_logs() as logs:
        announce(a_gateway(**settings), host, 8000)
    assert any(log["event"] == "open_to_all" for log in logs) is warned
    assert "secret" not in str(logs)


@pytest.mark.parametrize(("settings", "asked"), [({}, "checked"), ({"gateway_require": "audited"}, "audited")])
def test_it_says_at_start_what_it_asks_for(settings: dict[str, Any], asked: str) -> None:
    with capture_logs() as logs:
        announce(a_gateway(**settings), "127.0.0.1", 8000)
    assert logs[0]["require"] == asked
    assert any(log["event"] == "checked_only" for log in logs) is (asked == "checked")


def test_its_connections_do_not_wait_for_acknowledgements() -> None:
    """asyncio sets TCP_NODELAY on the connections of a socket only where it knows that it is of TCP."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("host", ["127.0.0.1", "no.such.host.invalid"])
def test_where_it_cannot_listen_it_says_so(host: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsError, match=f"cannot listen on {host}"),
    ):
        listen(host, taken.getsockname()[1])
