"""The settings of kimina-lean-server by their old names: taken, or said to be ignored; each stands on the page."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs
from support import ROOT

from streamverify.core.errors import SettingsError
from streamverify.gateway.old_names import MAPPED, NEEDLESS, WORKERS, with_old_names
from streamverify.settings import Settings, load_settings


def taken(environment: dict[str, str], **given: Any) -> tuple[Settings, list[Any]]:
    with capture_logs() as logs:
        settings = with_old_names(load_settings(**given), environment)
    return settings, logs


def test_of_the_newer_generation() -> None:
    settings, logs = taken(
        {
            "LEAN_SERVER_HOST": "10.0.0.2",
            "LEAN_SERVER_PORT": "8001",
            "lean_server_log_level": "DEBUG",
            "LEAN_SERVER_API_KEY": "my-api-key",
            "LEAN_SERVER_MAX_REPLS": "",
            "PATH": "/bin",
        }
    )
    assert (settings.gateway_host, settings.gateway_port, settings.log_level) == ("10.0.0.2", 8001, "debug")
    assert settings.api_keys is not None
    assert settings.api_keys.get_secret_value() == "default=my-api-key"
    assert {log["event"] for log in logs} == {"old_name_taken"}
    assert "my-api-key" not in str(logs)


def test_of_the_older_generation_with_its_port() -> None:
    settings, _ = taken(
        {"LEANSERVER_HOST": "10.0.0.1", "LEANSERVER_LOG_DIR": "/logs", "LEANSERVER_LOG_LEVEL": "CRITICAL"}
    )
    assert (settings.gateway_host, settings.gateway_port) == ("10.0.0.1", 12332)
    assert settings.log_dir == "/logs"
    assert settings.log_level == "error"
    assert taken({"LEANSERVER_MAX_REPLS": "8"})[0].gateway_port == 12332
    assert taken({"LEANSERVER_MAX_REPLS": "8", "LEANSERVER_PORT": "99"})[0].gateway_port == 99
    assert taken({"LEANSERVER_MAX_REPLS": "8"}, gateway_port=98)[0].gateway_port == 98


def test_the_clients_variables_make_no_older_server() -> None:
    settings, logs = taken({"LEANSERVER_API_KEY": "my-api-key", "LEAN_SERVER_API_URL": "http://x"})
    assert settings.gateway_port == 8000
    assert [log["name"] for log in logs if log["event"] == "old_name_ignored"] == ["LEAN_SERVER_API_URL"]


def test_ours_go_first_and_the_newer_before_the_older() -> None:
    settings, logs = taken({"LEAN_SERVER_PORT": "1", "LEANSERVER_PORT": "2", "LEAN_SERVER_HOST": "x"}, gateway_host="y")
    assert (settings.gateway_host, settings.gateway_port) == ("y", 1)
    ignored = {log["name"]: log["hint"] for log in logs if log["event"] == "old_name_ignored"}
    assert set(ignored) == {"LEANSERVER_PORT", "LEAN_SERVER_HOST"}


@pytest.mark.parametrize("name", [*WORKERS, *NEEDLESS, "LEAN_SERVER_NEWS", "LEANSERVER_NEWS"])
def test_what_is_ignored_is_said(name: str) -> None:
    _, logs = taken({name: "1"})
    [line] = [log for log in logs if log["event"] == "old_name_ignored"]
    assert line["name"] == name
    assert line["hint"]


@pytest.mark.parametrize(
    ("name", "value"), [("LEAN_SERVER_PORT", "http"), ("LEANSERVER_PORT", "65536"), ("LEAN_SERVER_API_KEY", "a b")]
)
def test_a_wrong_value_is_named_and_no_secret_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: must") as raised:
        taken({name: value})
    assert value not in str(raised.value).removeprefix(name)


@pytest.mark.parametrize("name", [*MAPPED, *WORKERS, *NEEDLESS])
def test_each_stands_on_the_page(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "gateway.md").read_text("utf-8")
