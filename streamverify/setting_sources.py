"""Finds where each setting comes from (flag, variable, settings file), and words what is wrong with one.

It knows no setting by its meaning: those are in `settings/`.
"""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from streamverify.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX = "STREAMVERIFY_"
"""The beginning of the name of each of our environment variables."""

DEFAULT_FILE = Path("streamverify.toml")

# Not an argument: pydantic-settings asks for its sources by a class method whose arguments are fixed.
_named_file: ContextVar[Path | None] = ContextVar("settings file named on the command line", default=None)

Place = Literal["flag", "environment", "file", "default"]

_ALL_NAMES = re.compile(rf"{PREFIX}([A-Z_]+) \(--[a-z-]+\)")
_SHOWN = 80
"""Characters of a wrong value that are shown."""

_EXPECTED = {
    "slots": "must be auto or a whole number from 1 to 4096",
    "http_port": "must be auto or a whole number from 0 to 65535",
    "memory_per_repl": "must be auto or a size of at least 64MiB, such as 4GiB",
    "bootstrap_servers": "must be host:port, or several separated by commas",
}
"""The words for a wrong value where pydantic's are of no use: patterns, and choices between two types."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The names of the settings that were given, at each of the places that settings come from."""

    flags: frozenset[str] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)
    """For each setting the variable that it comes from, as it is spelt: lower case counts, too."""
    in_file: frozenset[str] = frozenset()
    file: Path | None = None

    def reworded(self, text: str) -> str:
        """Replace all names of a setting, with which a message begins, by the one under which it was given.

        The code that uses a setting does not know where it came from, so its messages begin as `words` names a setting
        that nobody gave: `STREAMVERIFY_HTTP_PORT (--http-port)`.
        """
        named = _ALL_NAMES.match(text)
        return text if named is None else self.words(named[1].lower()) + text[named.end() :]

    @property
    def file_name(self) -> str:
        """The name of the settings file; it is in quotes if it has more than one line."""
        return _one_line(str(self.file))

    def place(self, name: str) -> Place:
        """Tell which place wins for a setting: flags over the environment, the environment over the file."""
        if name in self.flags:
            return "flag"
        if name in self.variables:
            return "environment"
        return "file" if name in self.in_file else "default"

    def words(self, name: str) -> str:
        """Name a setting for people as it was given; one that was not given by all its names."""
        match self.place(name):
            case "flag":
                return flag_of(name)
            case "environment":
                return self.variables[name]
            case "file":
                return f"{self.file_name}: {name}"
        return f"{PREFIX}{name.upper()} ({flag_of(name)})"


@contextmanager
def find_origins(config_file: Path | None, flags: Iterable[str]) -> Iterator[Origins]:
    """Find what was given where; within the block `settings_file` is the file that was named here.

    Args:
        config_file: The settings file that was named on the command line, if one was.
        flags: The names of the settings that were given as flags.

    Raises:
        SettingsError: The file cannot be read, or is not TOML.
    """
    token = _named_file.set(config_file)
    try:
        # As pydantic-settings reads them: in any case, and an empty one is not set.
        variables = {
            name[len(PREFIX) :].lower(): name
            for name, value in os.environ.items()
            if name.upper().startswith(PREFIX) and value
        }
        yield Origins(frozenset(flags), variables, _names_in_file(), settings_file())
    finally:
        _named_file.reset(token)


def settings_file() -> Path | None:
    """Name the settings file: that of the command line, else of `STREAMVERIFY_CONFIG`, else one in this folder."""
    named = _named_file.get() or os.environ.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def settings_files() -> list[Path]:
    """Name the files that settings may be read from on this machine. They may hold secrets: no proof may read them."""
    # The default file, too, where another is named: it may be there, and hold secrets all the same.
    named = settings_file()
    return [DEFAULT_FILE, *([] if named is None else [named])]


def _names_in_file() -> frozenset[str]:
    file = settings_file()
    if file is None:
        return frozenset()
    try:
        return frozenset(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(f"the settings file {_one_line(str(file))} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {_one_line(str(file))} is not TOML: {error}") from None


def _one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)


def flag_of(name: str) -> str:
    """Name the flag of a setting."""
    return f"--{name.replace('_', '-')}"


def explain(errors: Iterable[Any], origins: Origins) -> list[str]:
    """Word pydantic's errors for people, without its jargon: one line for each wrong setting.

    Args:
        errors: As `ValidationError.errors()` has them. One that concerns several settings names the one that it begins
            with in its context, as `setting`.
        origins: Where the settings come from.
    """
    messages: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for error in errors:
        name = str(error["loc"][0]) if error["loc"] else str(error.get("ctx", {}).get("setting", ""))
        # A setting that may be of several types has an error for each of them, some with the same words.
        said = messages.setdefault(name, [])
        if (message := _message(name, error)) not in said:
            said.append(message)
        if not _is_worded(error):
            values[name] = error["input"]
    lines = (
        f"{origins.words(name)}: {' or '.join(said)}{_shown(name, values)}" if name else " or ".join(said)
        for name, said in messages.items()
    )
    return [line if "\n" not in line else _one_line(line) for line in lines]


def _message(name: str, error: Any) -> str:
    if _is_worded(error):
        return str(error["msg"]).removeprefix("Value error, ")
    if name in _EXPECTED:
        return _EXPECTED[name]
    return str(error["msg"]).removeprefix("Input ").removeprefix("String ")


def _is_worded(error: Any) -> bool:
    """Tell whether a validator of ours made the message, which then says everything."""
    return error["type"] in {"value_error", "wrong_setting"}


def _shown(name: str, values: Mapping[str, Any]) -> str:
    # No message shows a secret, not even a wrong one: it may be wrong by one character.
    if name not in values or isinstance(values[name], dict) or "password" in name or "key" in name:
        return ""
    text = str(values[name])
    return f", not {text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}"
