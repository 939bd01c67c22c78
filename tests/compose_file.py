"""docker-compose.yml as Compose would read it, for tests: no container engine runs here."""

from __future__ import annotations

import re
from typing import Any

import yaml
from support import ROOT

from streamverify.settings import PREFIX

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
"""The services that run a command of ours."""
PROFILES = sorted({profile for service in SERVICES.values() for profile in service.get("profiles", ())})
WORKERS = [name for name in OURS if SERVICES[name]["command"] == ["worker"]]
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def services_of(profile: str) -> dict[str, dict[str, Any]]:
    """The services that `docker compose --profile PROFILE up` starts."""
    return {name: it for name, it in SERVICES.items() if not it.get("profiles") or profile in it["profiles"]}


def environment_of(name: str, shell: dict[str, str] | None = None) -> dict[str, str]:
    """The variables that a container of this service gets from the file, of a shell with these variables."""
    given = SERVICES[name].get("environment", {})
    # `${NAME:-default}`, as Compose replaces it.
    return {key: _VARIABLE.sub(lambda it: (shell or {}).get(it[1]) or it[2], str(text)) for key, text in given.items()}


def port_of(name: str) -> int:
    """The port that a service of ours listens on, by its settings."""
    setting = "GATEWAY_PORT" if SERVICES[name]["command"] == ["gateway"] else "HTTP_PORT"
    return int(environment_of(name)[PREFIX + setting])
