"""The application as a whole: flags, help, errors and exit codes."""

from __future__ import annotations

import gc
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from commands import all_commands
from typer.testing import CliRunner

from streamverify import __version__
from streamverify.cli import app as module
from streamverify.cli import main
from streamverify.cli import schema as schema_command
from streamverify.cli.app import commands_for, exit_code, make_app
from streamverify.cli.options import EVERYTHING, GATEWAY, WORKER
from streamverify.core.errors import (
    BrokerUnavailable,
    InvalidRequest,
    ReplUnavailable,
    ResultRefused,
    SettingsError,
    StreamVerifyError,
    UndecodableRequest,
    UndecodableResult,
    WorkerStuck,
)
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(
        make_app(commands_for(arguments)), list(arguments), env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    )


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr(schema_command, "choose", fail)


def test_the_help_names_every_command_and_exit_code() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for word in (*(name.split()[0] for name in all_commands()), "Exit codes", "130"):
        assert word in result.stdout


@pytest.mark.parametrize("command", all_commands())
def test_every_command_teaches_by_example(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"  streamverify {command}" in result.stdout


@pytest.mark.parametrize("command", all_commands())
def test_preformatted_help_fits_80_columns(command: str) -> None:
    text = all_commands()[command].epilog.replace("\\[", "[")
    assert max(len(line) for line in text.splitlines()) <= 78
    assert max(len(line) for line in [*module.EXAMPLES.splitlines(), *module.EXIT_CODES.splitlines()]) <= 78


@pytest.mark.parametrize(("command", "names"), [("worker", WORKER), ("gateway", GATEWAY)])
def test_every_setting_is_a_flag_and_shows_its_variable(command: str, names: tuple[str, ...]) -> None:
    text = run(command, "--help").stdout
    for name in names:
        assert f"--{name.replace('_', '-')} " in text
        assert f"{PREFIX}{name.upper()}" in text


def test_the_version() -> None:
    assert run("--version").stdout == f"streamverify {__version__}\n"


@pytest.mark.parametrize("arguments", [["nope"], ["produce"], ["results", "--nope"], ["verify", "x", "--wait", "soon"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("command", [["worker"], ["config"], ["doctor"]])
def test_a_wrong_setting_is_one_line_that_names_it(command: list[str]) -> None:
    result = run(*command, "--slots", "none")
    assert result.exit_code == 2
    assert result.stderr == ("error: --slots: must be auto or a whole number from 1 to 4096, not 'none'\n")


def test_several_wrong_settings_are_a_line_each() -> None:
    result = run("config", "--slots", "0", "--http-port", "x")
    assert [line.split()[1] for line in result.stderr.splitlines()] == ["--slots:", "--http-port:"]


def test_a_setting_that_turns_out_to_be_wrong_when_it_is_used_is_named_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def run_worker(_settings: Any) -> int:
        raise SettingsError("STREAMVERIFY_HTTP_PORT (--http-port): cannot listen on port 1")

    monkeypatch.setattr("streamverify.worker.lifecycle.run_worker", run_worker)
    (tmp_path / "streamverify.toml").write_text("http_port = 1\n")
    assert run("worker").stderr == "error: streamverify.toml: http_port: cannot listen on port 1\n"
    monkeypatch.setenv(f"{PREFIX}HTTP_PORT", "1")
    assert run("worker").stderr == "error: STREAMVERIFY_HTTP_PORT: cannot listen on port 1\n"
    assert run("worker", "--http-port", "1").stderr == "error: --http-port: cannot listen on port 1\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("x"), 2),
        (BrokerUnavailable("x"), 4),
        (ReplUnavailable("x"), 4),
        (ResultRefused("x"), 4),
        (WorkerStuck("x"), 5),
        (InvalidRequest("x", custom_id="a"), 2),
        (UndecodableRequest("x"), 2),
        (UndecodableResult("x"), 70),
        (StreamVerifyError("x"), 70),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: StreamVerifyError, code: int
) -> None:
    raising(monkeypatch, error)
    result = run("schema")
    assert (result.exit_code, result.stderr, result.stdout) == (code, "error: x\n", "")


def test_no_error_ends_like_a_rejected_proof() -> None:
    kinds: list[type[StreamVerifyError]] = [StreamVerifyError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert exit_code(kind.__new__(kind)) != 1


def test_an_error_is_shown_as_it_is_and_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, SettingsError("[bold]\x1b[31mx" + "y" * 300))
    assert run("schema").stderr == f"error: [bold]␛[31mx{'y' * 300}\n"


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert run("schema").exit_code == 130


def test_a_defect_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ZeroDivisionError("oh"))
    result = run("schema")
    assert result.exit_code == 70
    assert result.stderr.endswith("error: this is a bug of streamverify, please report it: ZeroDivisionError: oh\n")


def test_config_says_where_each_setting_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('group_id = "g"\nslots = 2\nrepl = "synthetic"\n')
    monkeypatch.setenv(f"{PREFIX}SLOTS", "3")
    monkeypatch.setenv(f"{PREFIX}REPL", "replay")
    shown = json.loads(run("config", "--json", "--config", str(file), "--slots", "4").stdout)
    found = {name: (shown["settings"][name], shown["sources"][name]) for name in ("group_id", "slots", "repl")}
    assert found == {"group_id": ("g", "file"), "slots": (4, "flag"), "repl": ("replay", "environment")}
    assert shown["sources"]["log_level"] == "default"
    assert shown["settings"].keys() == shown["sources"].keys() == set(EVERYTHING)


def test_config_hides_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}SASL_PASSWORD", "hunter2")
    for arguments in (["config"], ["config", "--json"]):
        result = run(*arguments)
        assert "hunter2" not in result.output
        assert "*****" in result.stdout


def test_config_as_a_table() -> None:
    lines = run("config", "--group-id", "[x]").stdout.splitlines()
    assert ["group_id", "[x]", "flag"] in [line.split() for line in lines]


def test_schema_prints_one_or_all() -> None:
    assert json.loads(run("schema", "proof-result").stdout)["title"] == "ProofResult"
    assert run("schema").stdout == "".join(schema_command.every_schema().values())
    result = run("schema", "nope")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "proof-request, proof-result, dead-letter" in result.stderr


def test_schema_writes_what_differs(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    first, second = run("schema", "--write", str(folder)), run("schema", "--write", str(folder))
    assert {file.name: file.read_text("utf-8") for file in folder.iterdir()} == schema_command.every_schema()
    assert {line.split()[0] for line in first.stdout.splitlines()} == {"written"}
    assert {line.split()[0] for line in second.stdout.splitlines()} == {"current"}


def test_schema_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("schema", "--write", str(tmp_path / "file"))
    assert result.exit_code == 2
    assert "file" in result.stderr


@pytest.mark.parametrize("code", [0, 4, 5, 6, 130])
def test_the_worker_ends_with_its_own_code(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    seen = []

    async def run_worker(settings: Any) -> int:
        seen.append(settings.slots)
        return code

    monkeypatch.setattr("streamverify.logs.configure", lambda *_args, **_options: None)
    monkeypatch.setattr("streamverify.worker.lifecycle.run_worker", run_worker)
    assert run("worker", "--slots", "7").exit_code == code
    assert seen == [7]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["results", "--limit", "x"], "'--limit': must be a valid integer (see"),
        (["results", "--limit", "0"], "'--limit': must be greater than or equal to 1 (see"),
        (["results", "--status", "foo"], "'--status': 'foo' is not one of 'verified', "),
        (["verify", "-", "--require", "foo"], "'--require': 'foo' is not one of 'checked', "),
        (["verify", "-", "--wait", "abc"], "'--wait': must be a valid number (see"),
    ],
)
def test_a_wrong_value_is_worded_for_people(arguments: list[str], words: str) -> None:
    ended = CliRunner().invoke(make_app(commands_for(arguments)), arguments)
    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"error: Invalid value for {words}")


def test_garbage_is_collected_while_a_command_runs_and_not_while_it_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []

    def make(_commands: object) -> Any:
        seen.append(gc.isenabled())
        return lambda: seen.append(gc.isenabled())

    monkeypatch.setattr("streamverify.cli.streams.guard", lambda: None)
    monkeypatch.setattr(module, "make_app", make)
    main()
    assert seen == [False, True]


def test_ctrl_c_while_the_commands_are_imported_leaves_the_collector_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_commands: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("streamverify.cli.streams.guard", lambda: None)
    monkeypatch.setattr(module, "make_app", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert gc.isenabled()
