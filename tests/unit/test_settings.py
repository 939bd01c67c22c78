"""Settings: where they come from, which wins, and what is said of a wrong one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from support import ROOT

from streamverify.core.errors import SettingsError
from streamverify.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's environment nor a settings file of the checkout may decide."""
    for name in os.environ:
        if name.startswith("STREAMVERIFY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def complaint(**flags: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**flags)
    return str(caught.value)


def test_the_defaults_are_those_that_others_rely_on() -> None:
    settings = load_settings()
    assert settings.bootstrap_servers == "localhost:9092"
    assert (settings.request_topic, settings.result_topic, settings.dlq_topic) == (
        "lean.proofs",
        "lean.results",
        "lean.proofs.dlq",
    )
    assert settings.ingest_topic == "lean.proofs.ingest"
    assert (settings.default_timeout, settings.max_timeout, settings.import_timeout) == (60, 600, 300)
    assert (settings.group_id, settings.repl, settings.slots) == ("streamverify", "auto", "auto")
    assert (settings.drain_timeout, settings.http_port, settings.max_proof_bytes) == (60, "auto", 524_288)


def test_flags_win_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "streamverify.toml").write_text('group_id = "file"\nslots = 3\nhttp_port = 1\n')
    monkeypatch.setenv("STREAMVERIFY_GROUP_ID", "environment")
    monkeypatch.setenv("STREAMVERIFY_SLOTS", "4")
    settings = load_settings(slots=5, group_id=None)
    assert (settings.slots, settings.group_id, settings.http_port) == (5, "environment", 1)


def test_another_file_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("slots = 7\n")
    assert load_settings(file).slots == 7


@pytest.mark.parametrize(
    ("flags", "names", "says"),
    [
        ({"slots": "many"}, "STREAMVERIFY_SLOTS (--slots)", "auto or a whole number from 1"),
        ({"repl": ""}, "STREAMVERIFY_REPL (--repl)", "must not be empty"),
        ({"bootstrap_servers": "http://x:9092"}, "STREAMVERIFY_BOOTSTRAP_SERVERS", "host:port"),
        ({"bootstrap_servers": "nohost"}, "STREAMVERIFY_BOOTSTRAP_SERVERS", "host:port"),
        ({"slots": 0}, "STREAMVERIFY_SLOTS (--slots)", "not '0'"),
        ({"http_port": 70_000}, "STREAMVERIFY_HTTP_PORT (--http-port)", "auto or a whole number from 0 to 65535"),
        ({"http_host": "a host"}, "STREAMVERIFY_HTTP_HOST (--http-host)", "pattern"),
        ({"default_timeout": -1}, "STREAMVERIFY_DEFAULT_TIMEOUT", "greater than 0"),
        ({"default_timeout": "nan"}, "STREAMVERIFY_DEFAULT_TIMEOUT", "finite"),
        ({"max_timeout": 10}, "STREAMVERIFY_MAX_TIMEOUT", "must not be below default_timeout (60)"),
        ({"result_topic": "lean.proofs"}, "STREAMVERIFY_RESULT_TOPIC", "four different topics"),
        ({"dlq_topic": "lean.results"}, "STREAMVERIFY_DLQ_TOPIC", "four different topics"),
        ({"ingest_topic": "lean.proofs"}, "STREAMVERIFY_INGEST_TOPIC", "four different topics"),
        ({"request_topic": "a topic"}, "STREAMVERIFY_REQUEST_TOPIC", "pattern"),
        ({"require": "proved"}, "STREAMVERIFY_REQUIRE (--require)", "'checked' or 'audited'"),
        ({"min_lean_version": "new"}, "STREAMVERIFY_MIN_LEAN_VERSION", "pattern"),
        ({"lean_project": "/nowhere/at/all"}, "STREAMVERIFY_LEAN_PROJECT", "no such folder"),
        ({"log_level": "loud"}, "STREAMVERIFY_LOG_LEVEL", "'debug', 'info'"),
        ({"security_protocol": "SASL_SSL"}, "security_protocol SASL_SSL", "needs sasl_username and sasl_password"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(flags: dict[str, Any], names: str, says: str) -> None:
    text = complaint(**flags)
    assert names in text
    assert says in text
    assert "\n" not in text
    assert "pydantic" not in text


@pytest.mark.parametrize("servers", ["a:1", "a.b-c:9092, 10.0.0.1:9093", "[::1]:9092,x:1"])
def test_lists_of_brokers(servers: str) -> None:
    assert load_settings(bootstrap_servers=servers).bootstrap_servers == servers


def test_two_wrong_settings_are_two_lines() -> None:
    assert len(complaint(slots="x", http_port=-1).splitlines()) == 2


def test_an_unknown_variable_is_warned_about_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMVERIFY_BOOTSTRAP_SERVER", "kafka:9092")
    load_settings()
    said = "".join(capsys.readouterr())
    assert "STREAMVERIFY_BOOTSTRAP_SERVER" in said
    assert "bootstrap_servers" in said
    assert "hint" in said


def test_a_variable_like_no_setting_is_warned_about_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMVERIFY_LOG_DIR", "/tmp")
    load_settings()
    assert "has no effect" in "".join(capsys.readouterr())


def test_an_unknown_name_in_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "streamverify.toml").write_text("slot = 3\n")
    assert "did you mean `slots`?" in complaint()


@pytest.mark.parametrize("content", ["slots = ", "\udcff"])
def test_a_file_that_is_no_toml_is_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "streamverify.toml").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert "is not TOML" in complaint()


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read: No such file"):
        load_settings(tmp_path / "none.toml")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMVERIFY_SLOTS", "")
    assert load_settings().slots == "auto"


def test_the_password_is_never_shown() -> None:
    settings = load_settings(security_protocol="SASL_SSL", sasl_username="me", sasl_password="hunter2")
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()
    assert "hunter2" not in complaint(sasl_password={"hunter2": 1})


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_documentation_has_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else field.default
        shown = f" `{default:g}` " if isinstance(default, float) else f" `{default}` " if default != "" else "  "
        assert f"| `{name.upper()}` |{shown}| {field.description} |" in page
