"""The settings of kimina-lean-server by their old names: what each is here. Reads no environment.

Its newer generation has `LEAN_SERVER_…`, the older one `LEANSERVER_…` and port 12332. Where the gateway has such a
setting the old name gives it, unless ours is given; all others get a line in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from pydantic import SecretStr

from streamverify.core.errors import SettingsError
from streamverify.core.gateway.keys import ApiKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

NEW, OLD = "LEAN_SERVER_", "LEANSERVER_"
OLD_PORT = 12332
"""The port of the older generation where its settings name none."""
KEY_NAME = "default"
"""The name that its one key has in the log."""

_LEVELS = {"trace": "trace", "debug": "debug", "info": "info", "warning": "warning", "warn": "warning"}


def _port(text: str) -> int:
    if not text.isdecimal() or not int(text) < 2**16:
        raise ValueError("must be a port, from 0 to 65535")
    return int(text)


def _key(text: str) -> SecretStr:
    try:
        ApiKeys.parse(f"{KEY_NAME}={text}")
    except ValueError:
        raise ValueError("must have at least eight ASCII characters, without blanks and commas") from None
    return SecretStr(f"{KEY_NAME}={text}")


MAPPED: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    f"{NEW}HOST": ("gateway_host", str),
    f"{OLD}HOST": ("gateway_host", str),
    f"{NEW}PORT": ("gateway_port", _port),
    f"{OLD}PORT": ("gateway_port", _port),
    f"{NEW}API_KEY": ("api_keys", _key),
    f"{OLD}API_KEY": ("api_keys", _key),
    # Python knows more levels above `error`; ours has none.
    f"{NEW}LOG_LEVEL": ("log_level", lambda text: _LEVELS.get(text.lower(), "error")),
    f"{OLD}LOG_LEVEL": ("log_level", lambda text: _LEVELS.get(text.lower(), "error")),
    f"{OLD}LOG_DIR": ("log_dir", str),
}
"""For each old name the setting that it is, and how its value is read. The newer generation goes first."""

WORKERS: Mapping[str, str] = {
    f"{NEW}REPL_PATH": "REPL",
    f"{NEW}PROJECT_DIR": "LEAN_PROJECT",
    f"{NEW}LEAN_VERSION": "LEAN_PROJECT",
    f"{NEW}MAX_REPLS": "SLOTS",
    f"{NEW}MAX_REPL_MEM": "MEMORY_PER_REPL",
    f"{NEW}INIT_REPLS": "PREWARM",
    f"{OLD}WORKSPACE": "LEAN_PROJECT",
    f"{OLD}MAX_REPLS": "SLOTS",
    f"{OLD}REPL_MEMORY_LIMIT_GB": "MEMORY_PER_REPL",
    f"{OLD}HARD_ENFORCE_MEMORY_LIMIT": "MEMORY_PER_REPL",
}
"""For each old name the setting of a worker that it comes to: the gateway has no Lean."""

NEEDLESS: Mapping[str, str] = {
    f"{NEW}ENVIRONMENT": "there is no mode for development",
    f"{NEW}MAX_REPL_USES": "a worker replaces a REPL when it is worn",
    f"{NEW}MAX_WAIT": "requests are held, not refused, for GATEWAY_WAIT seconds",
    f"{NEW}DATABASE_URL": "the verdicts are on the result topic",
    f"{NEW}API_URL": "it is a setting of the client",
    f"{OLD}MAX_CONCURRENT_REQUESTS": "requests are held: see GATEWAY_REQUESTS",
    f"{OLD}REPL_MEMORY_CHECK_INTERVAL": "a worker watches the memory of its REPLs all the time",
    f"{OLD}HEALTHCHECK_CPU_USAGE_THRESHOLD": "/health says whether requests are taken",
    f"{OLD}HEALTHCHECK_MEMORY_USAGE_THRESHOLD": "/health says whether requests are taken",
}
"""The old names that come to nothing, and why."""


def with_old_names(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Return the settings with those that only an old name gives.

    Args:
        settings: The settings. What was given by one of our names stays.
        environment: Variables and their values.

    Raises:
        SettingsError: The value of an old name is wrong.
    """
    given = {name.upper(): value for name, value in environment.items() if value}
    taken: dict[str, Any] = {}
    for old, (setting, read) in MAPPED.items():
        if old not in given:
            continue
        if setting in taken or settings.origins.place(setting) != "default":
            _ignored(old, f"{setting.upper()} is given, too, and goes first")
            continue
        try:
            taken[setting] = read(given[old])
        except ValueError as error:
            raise SettingsError(f"{old}: {error}") from None
        _log.info("old_name_taken", name=old, setting=setting.upper())
    # Its API_KEY is a variable of the client, too, and says nothing of a server.
    older = [name for name in given if name.startswith(OLD) and name != f"{OLD}API_KEY"]
    if older and "gateway_port" not in taken and settings.origins.place("gateway_port") == "default":
        taken["gateway_port"] = OLD_PORT
        _log.info("old_port_taken", port=OLD_PORT, because=older[0])
    # Somebody moves a configuration over: each name that comes to nothing here is said, so that none is missed.
    for old in given:
        if old in WORKERS:
            _ignored(old, f"it is a setting of the workers: STREAMVERIFY_{WORKERS[old]}")
        elif old in NEEDLESS:
            _ignored(old, NEEDLESS[old])
        elif old.startswith((NEW, OLD)) and old not in MAPPED:
            _ignored(old, "kimina-lean-server has no such setting that is known here")
    return settings.model_copy(update=taken)


def _ignored(name: str, why: str) -> None:
    _log.info("old_name_ignored", name=name, hint=why)
