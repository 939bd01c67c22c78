"""Settings: where they come from, which wins, and what is said of a wrong one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from support import ROOT, complaint

from streamverify.core.errors import SettingsError
from streamverify.settings import Settings, load_settings
from streamverify.settings.loading import NO_SETTINGS

if TYPE_CHECKING:
    from pathlib import Path


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
    ("flags", "says"),
    [
        ({"slots": "many"}, "auto or a whole number from 1"),
        ({"repl": ""}, "must not be empty"),
        ({"bootstrap_servers": "http://x:9092"}, "host:port"),
        ({"bootstrap_servers": "nohost"}, "host:port"),
        ({"slots": 0}, "not '0'"),
        ({"http_port": 70_000}, "auto or a whole number from 0 to 65535"),
        ({"http_host": "a host"}, "pattern"),
        ({"default_timeout": -1}, "greater than 0"),
        ({"default_timeout": "nan"}, "finite"),
        ({"max_timeout": 10}, "must not be below default_timeout (60)"),
        ({"result_topic": "lean.proofs"}, "five different topics"),
        ({"dlq_topic": "lean.results"}, "five different topics"),
        ({"ingest_topic": "lean.proofs"}, "five different topics"),
        ({"groups_topic": "lean.proofs.ingest"}, "five different topics"),
        ({"request_topic": "a topic"}, "pattern"),
        ({"require": "proved"}, "'replayed' or 'cross_checked'"),
        ({"min_lean_version": "new"}, "pattern"),
        ({"lean_project": "/nowhere/at/all"}, "no such folder"),
        ({"log_level": "loud"}, "'debug', 'info'"),
        ({"security_protocol": "SASL_SSL"}, "needs sasl_username and sasl_password"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(flags: dict[str, Any], says: str) -> None:
    text = complaint(**flags)
    [name] = flags
    assert text.startswith(f"--{name.replace('_', '-')}: ")
    assert says in text
    assert "\n" not in text
    assert "pydantic" not in text


SETTING_FOR_EACH_TYPE = [
    ("slots", "two"),
    ("http_port", "x"),
    ("patience", "-1"),
    ("bootstrap_servers", "nohost"),
    ("bootstrap_servers", "host:65536"),
    ("require", "proved"),
    ("lean_project", "/nowhere/at/all"),
    ("prewarm", "1"),
    ("ingest_topic", "lean.proofs"),
    ("security_protocol", "SASL_SSL"),
]


@pytest.mark.parametrize(("name", "value"), SETTING_FOR_EACH_TYPE)
@pytest.mark.parametrize("spelling", [str.upper, str.lower])
def test_a_wrong_variable_is_named_as_it_is_spelt(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, spelling: Any
) -> None:
    variable = spelling(f"STREAMVERIFY_{name}")
    monkeypatch.setenv(variable, value)
    text = complaint()
    assert text.startswith(f"{variable}: ")
    assert "\n" not in text


@pytest.mark.parametrize(("name", "value"), SETTING_FOR_EACH_TYPE)
def test_a_wrong_key_is_named_with_its_file(tmp_path: Path, name: str, value: str) -> None:
    file = tmp_path / "of mine.toml"
    file.write_text(f'{name} = "{value}"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert str(caught.value).startswith(f"{file}: {name}: ")
    (tmp_path / "streamverify.toml").write_text(f'{name} = "{value}"\n')
    assert complaint().startswith(f"streamverify.toml: {name}: ")


def test_only_the_place_that_wins_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "streamverify.toml").write_text('slots = "two"\n')
    monkeypatch.setenv("STREAMVERIFY_SLOTS", "three")
    assert complaint() == "STREAMVERIFY_SLOTS: must be auto or a whole number from 1 to 4096, not 'three'"
    monkeypatch.setenv("STREAMVERIFY_SLOTS", "3")
    assert load_settings().slots == 3


def test_a_setting_that_nobody_gave_is_named_by_all_its_names() -> None:
    # The default is wrong only because of another setting.
    assert complaint(default_timeout=700).startswith("STREAMVERIFY_MAX_TIMEOUT (--max-timeout): must not be below")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
@pytest.mark.parametrize("value", ["", " ", "\udcff", "x\0y"])
def test_no_setting_is_empty_or_no_text(name: str, value: str) -> None:
    """An empty path would be the working folder; what is no UTF-8 would only fail when it is sent."""
    if Settings.model_fields[name].default == "" and not value.strip():
        given: Any = {name: value}
        assert getattr(load_settings(**given), name).strip() == ""
        return
    text = complaint(**{name: value})
    assert text.startswith(f"--{name.replace('_', '-')}: must ")
    assert "\n" not in text


@pytest.mark.parametrize("servers", ["a:1", "a.b-c:9092, 10.0.0.1:9093", "[::1]:9092,x:1"])
def test_lists_of_brokers(servers: str) -> None:
    assert load_settings(bootstrap_servers=servers).bootstrap_servers == servers


def test_two_wrong_settings_are_two_lines() -> None:
    assert len(complaint(slots="x", http_port=-1).splitlines()) == 2


def test_an_unknown_variable_is_warned_about_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMVERIFY_BOOTSTRAP_SERVER", "kafka:9092")
    with capture_logs() as logs:
        load_settings()
    [event] = logs
    assert event["name"] == "STREAMVERIFY_BOOTSTRAP_SERVER"
    assert "bootstrap_servers" in event["hint"]


def test_in_a_users_program_the_warning_is_on_stderr() -> None:
    program = "from streamverify.settings import load_settings; load_settings(); print('answer')"
    environment = os.environ | {"STREAMVERIFY_BOOTSTRAP_SERVER": "kafka:9092"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "answer\n"
    assert done.stderr.count("\n") == 1
    assert "STREAMVERIFY_BOOTSTRAP_SERVER" in done.stderr


def test_a_variable_like_no_setting_is_warned_about_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMVERIFY_QQQ", "/tmp")
    with capture_logs() as logs:
        load_settings()
    assert "has no effect" in logs[0]["hint"]


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


def test_the_documentation_has_the_variables_that_are_no_settings() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert set(re.findall(r"^\| `STREAMVERIFY_([A-Z_]+)` \|", page, flags=re.MULTILINE)) == {
        name.upper() for name in NO_SETTINGS
    }


def test_an_unknown_argument_of_a_program_is_named_as_such() -> None:
    with pytest.raises(
        SettingsError, match=r"^there is no setting `bootstrap_server`; did you mean `bootstrap_servers`"
    ):
        load_settings(bootstrap_server="a:1")
