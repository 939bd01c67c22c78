"""Reads the settings, and says what is wrong with them.

A name that is no setting is an error in the file and a warning in the environment, which other programs share.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from streamverify.core.errors import SettingsError
from streamverify.logs import leave_to_the_program
from streamverify.setting_sources import Origins, explain, find_origins
from streamverify.settings.every import Settings

if TYPE_CHECKING:
    from pathlib import Path

NO_SETTINGS = frozenset({"config", "lean_home"})
"""Variables with our prefix that are no settings: the path of the settings file, and where `setup_lean.sh` installs."""

_log = structlog.get_logger(__name__)


def load_settings(config_file: Path | None = None, **flags: Any) -> Settings:
    """Read the settings from flags, environment and file.

    Args:
        config_file: A TOML file; default: `$STREAMVERIFY_CONFIG`, else `streamverify.toml` where there is one.
        flags: Values from the command line, by field name; None counts as not given.

    Returns:
        The effective settings.

    Raises:
        SettingsError: Settings are wrong. The message has one line for each of them, with its name.
    """
    # The first event of a program that has our client may come from here.
    leave_to_the_program()
    given = {name: value for name, value in flags.items() if value is not None}
    with find_origins(config_file, given) as origins:
        # Before pydantic, whose `extra="forbid"` would name neither the file nor the nearest setting.
        _check_names(origins)
        try:
            settings = Settings(**given)
        except ValidationError as error:
            # pydantic's error holds the values, and among them may be a password: `from None` keeps it out of traces.
            raise SettingsError("\n".join(explain(error.errors(), origins))) from None
    settings._origins = origins  # noqa: SLF001 - pydantic gives a model no other way to hold what is no field
    return settings


def _check_names(origins: Origins) -> None:
    """Refuse unknown keys of the settings file and unknown arguments of a client; warn of unknown variables."""
    # A command has no flag that is no setting; a program may say `Client(server=...)`, and has no flags.
    for name in sorted(origins.flags - Settings.model_fields.keys()):
        raise SettingsError(f"there is no setting `{name}`{_nearest(name)}")
    for name in sorted(origins.in_file - Settings.model_fields.keys()):
        raise SettingsError(f"{origins.file_name}: there is no setting `{name}`{_nearest(name)}")
    for name in sorted(origins.variables.keys() - Settings.model_fields.keys() - NO_SETTINGS):
        if not name.startswith("test_"):  # the switches of our own tests
            _log.warning(
                "unknown_setting",
                name=origins.variables[name],
                hint=f"no setting has this name, so the variable has no effect{_nearest(name)}",
            )


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
