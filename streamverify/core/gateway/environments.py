"""Reads the setting ENVIRONMENTS: to which topics the proofs of a request's `environment` go. Pure.

Each environment is another worker group on topics of its own, with another Lean or other libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamverify.core.scheduling.prewarm import parse_prewarm

_ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]{1,64})\s*=\s*(?P<requests>[A-Za-z0-9._-]{1,249}):(?P<results>[A-Za-z0-9._-]{1,249})"
    r"(\s*:\s*(?P<header>[^:;]+))?"
)


@dataclass(frozen=True, slots=True)
class GatewayEnvironment:
    """The topics of one worker group. `header` is what a file without imports is given where AXLE would do so."""

    name: str
    request_topic: str
    result_topic: str
    header: str = ""


def parse_environments(text: str) -> dict[str, GatewayEnvironment]:
    """Read `NAME=REQUEST_TOPIC:RESULT_TOPIC[:MODULES]`, several separated by `;`.

    Raises:
        ValueError: An entry is not of this form, or two have the same name.
    """
    found: dict[str, GatewayEnvironment] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ValueError(f"`{entry[:80]}` is not NAME=REQUEST_TOPIC:RESULT_TOPIC[:MODULES]")
        name = match["name"]
        if name in found:
            raise ValueError(f"the environment `{name}` comes twice")
        [header] = parse_prewarm(match["header"]) if match["header"] else [None]
        found[name] = GatewayEnvironment(
            name, match["requests"], match["results"], "" if header is None else header.canonical
        )
    return found
