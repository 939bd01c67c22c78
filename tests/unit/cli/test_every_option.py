"""Whatever is given for any option of any command: one line, and an exit code that is documented.

The commands and their options come from the application, so a new one is tried, too. No command gets to do anything:
where it would begin, it is told that there is no broker.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from commands import all_commands, arguments_of, invoke, options_of

from streamverify.core.errors import BrokerUnavailable
from streamverify.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

ARGUMENTS = {
    "config": [],
    "delete": ["--id", "a"],
    "broker": [],
    "cancel": ["--run", "a"],
    "demo": [],
    "dlq list": [],
    "dlq replay": ["0:1"],
    "dlq show": ["0:1"],
    "doctor": [],
    "export": ["--output", "v.jsonl"],
    "gateway": [],
    "offsets": [],
    "produce": ["p.lean"],
    "replay": ["p.jsonl", "--id-column", "id", "--proof-column", "proof"],
    "report": ["verdicts.jsonl"],
    "results": [],
    "retry": ["--since", "1h"],
    "router": [],
    "schema": [],
    "serve": [],
    "status": [],
    "table": [],
    "top": ["--once"],
    "topics create": [],
    "topics describe": [],
    "verify": ["p.lean"],
    "worker": [],
    "workers": [],
}
"""For each command arguments with which it would do its work."""

HOSTILE = [
    "",
    " ",
    "-1",
    "0",
    "nan",
    "inf",
    "1e400",
    "9" * 40,
    "no-such-choice",
    "\udcff",
    "a\nb",
    "x" * 70_000,
    "{}%s",
]
OF_SETTINGS = ["", "-1", "9" * 40, "no such\nchoice", "\udcff"]
"""Fewer, as every setting has the same way in (tests/unit/settings), and there are hundreds of these flags."""
OF_A_SETTING_AGAIN = ["no such\nchoice"]
"""For the flag of a setting where a command before had it: all commands make these flags by the same function."""
WRONG_SETTINGS = {
    name
    for name, field in Settings.model_fields.items()
    if field.annotation is not str or field.metadata or name in {"cache", "policy_allow"}
} - {"group_id", "client_rack", "sasl_username", "sasl_password", "ssl_keyfile_password", "repl", "log_dir"}
WRONG_SETTINGS -= {"replay_store", "lean", "exporter", "leanchecker", "kernel"}
"""The settings that cannot be `no such\nchoice`: all but free text."""
FREE_TEXT = {
    "run",
    "api_key",
    "metadata",
    "theorem",
    "ids",
    "prefix",
    "id_column",
    "proof_column",
    "statement_column",
    "header_column",
    "theorem_column",
    "group_column",
    "header",
    "where",
    "output",
    "group",
    "repl",
    "write",
    "title",
    "report_dir",
}
"""The further options that take any text, or any name of a file."""
MAY_BE_EMPTY = {"prefix", "write"}
"""Of these the ones for which an empty text means something, or that only fail when they are used."""


@pytest.fixture(autouse=True)
def _nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise BrokerUnavailable("no broker answers")

    def run(work: Coroutine[Any, Any, Any], **_options: object) -> NoReturn:
        work.close()
        refuse()

    monkeypatch.setattr(asyncio, "run", run)
    monkeypatch.setattr("streamverify.bus.embedded.EmbeddedBroker.__enter__", refuse)
    monkeypatch.setattr("streamverify.router.router.run_router", refuse)
    monkeypatch.setattr("streamverify.table.table.run_table", refuse)
    monkeypatch.setattr("streamverify.cli.children.Children.start", refuse)
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    # The default may be somebody else's at this moment.
    monkeypatch.setenv(f"{PREFIX}GATEWAY_PORT", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.lean").write_text("theorem t : True := trivial\n")
    (tmp_path / "p.jsonl").write_text('{"id": 1, "proof": "theorem t : True := trivial"}\n')
    (tmp_path / "verdicts.jsonl").write_text('{"custom_id": "a", "status": "verified", "reason": "ok"}\n')


def check(arguments: list[str]) -> int:
    """Run a command and hold its end against the rules."""
    ran = invoke(*arguments)
    shown = [argument[:50] for argument in arguments]
    assert ran.code in {0, 2, 4}, (shown, ran)
    assert "Traceback" not in ran.stderr, (shown, ran.stderr)
    if ran.code:
        # `so far` and the like are no errors; there is exactly one.
        [line] = ran.stderr.splitlines()
        assert line.startswith("error: "), (shown, ran.stderr)
        assert len(line) > len("error: x"), (shown, line)
        assert ran.stdout == "", (shown, ran.stdout)
    return ran.code


def home_of(flag: str) -> str:
    """The first command with the flag of a setting; last those that do something with all settings each time."""
    return next(name for name in sorted(ARGUMENTS, key={"config", "doctor"}.__contains__) if flag in options_of(name))


def test_every_command_is_here() -> None:
    assert set(ARGUMENTS) == set(all_commands()), "a new command needs its line in ARGUMENTS"


@pytest.mark.parametrize("command", ARGUMENTS)
def test_the_command_would_work(command: str) -> None:
    assert check([*command.split(), *ARGUMENTS[command]]) in {0, 4}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_any_value_of_any_option_ends_in_one_line(command: str) -> None:
    for flag, option in options_of(command).items():
        if option.is_flag:
            assert check([*command.split(), *ARGUMENTS[command], f"{flag}=x"]) == 2
            continue
        values = HOSTILE
        if option.name in Settings.model_fields:
            values = OF_SETTINGS if command == home_of(flag) else OF_A_SETTING_AGAIN
        for value in values:
            code = check([*command.split(), *ARGUMENTS[command], f"{flag}={value}"])
            if value in {"no-such-choice", "no such\nchoice"}:
                wrong = option.name in WRONG_SETTINGS or (
                    option.name not in Settings.model_fields and option.name not in FREE_TEXT
                )
                assert not wrong or code == 2, f"{command} {flag} takes {value!r}"
            if value in {"", " "} and option.name not in Settings.model_fields:
                assert code == 2 or option.name in MAY_BE_EMPTY, f"{command} {flag} takes an empty text"
        assert check([*command.split(), *ARGUMENTS[command], flag]) == 2  # no value at all


@pytest.mark.parametrize("command", [name for name in ARGUMENTS if arguments_of(name)])
@pytest.mark.parametrize("value", [*HOSTILE, "/", "/dev/null/x", "no/such/file.lean"])
def test_any_argument_ends_in_one_line(command: str, value: str) -> None:
    assert check([*command.split(), "--", value]) in {2, 4} if value != "/" else True


@pytest.mark.parametrize("command", ARGUMENTS)
def test_an_argument_too_many_and_an_unknown_option_are_one_line(command: str) -> None:
    assert check([*command.split(), *ARGUMENTS[command], "--no-such-option"]) == 2
    if not any(argument.nargs == -1 for argument in arguments_of(command)):
        assert check([*command.split(), *ARGUMENTS[command], "many", "too many"]) == 2


@pytest.mark.parametrize("command", [name for name in ARGUMENTS if "--config" in options_of(name)])
@pytest.mark.parametrize("content", ["slots = ", "\0", "nothing = 1", 'bootstrap_servers = "x"', "[slots]\nx = 1"])
def test_a_wrong_settings_file_is_one_line_that_names_it(command: str, content: str, tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(content)
    ran = invoke(*command.split(), *ARGUMENTS[command], "--config", str(file))
    assert ran.code == 2
    [line] = ran.stderr.splitlines()
    assert str(file) in line


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_warning_before_everything_else_is_on_stderr(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}SLTS", "4")
    monkeypatch.setenv(f"{PREFIX}LOG_LEVEL", "debug")
    flags = ["--json"] if "--json" in options_of(command) else []
    ran = invoke(*command.split(), *ARGUMENTS[command], *flags)
    assert "unknown_setting" not in ran.stdout
    if "--config" in options_of(command):
        assert "STREAMVERIFY_SLTS" in ran.stderr
        assert "did you mean `slots`" in ran.stderr
    if ran.code == 0 and flags:
        assert all(json.loads(line) for line in ran.stdout.splitlines())
