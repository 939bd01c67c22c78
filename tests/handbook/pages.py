"""The generated parts of pages: what stands between `<!-- made by `make docs`: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from support import ROOT

from handbook.chart import values_table
from handbook.commands import commands_page
from handbook.complaints import complaints
from handbook.metrics import buckets_table, labels_table, metrics_of
from handbook.topics import messages_part, topics_part
from streamverify.core.metrics.metric import Process
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PART = re.compile(r"(<!-- made by `make docs`: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)

GENERATED = [
    ROOT / "docs" / name
    for name in ("troubleshooting.md", "commands.md", "settings.md", "metrics.md", "topics.md", "kubernetes.md")
]
"""The pages with generated parts."""


def with_generated(page: str) -> str:
    """Make the page with its generated parts as they should be.

    Raises:
        KeyError: It has a part of a name that nothing makes.
    """
    return _PART.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], page)


def complaints_table() -> str:
    """Make the table of every warning and error."""
    rows = [f"| `{item.event}` | {item.level} | {escaped(item.hint)} |" for item in complaints()]
    return "\n".join(["| event | level | hint |", "|---|---|---|", *rows]) + "\n"


def settings_table() -> str:
    """Make the table of every setting with its default, in the order of the settings themselves."""
    rows = [
        f"| `{name.upper()}` |{_default_of(field.default)}| {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default_of(value: object) -> str:
    if value is None or value == "":
        return "  "
    return f" `{value:g}` " if isinstance(value, float) else f" `{value}` "


def escaped(text: str) -> str:
    """Write a text so that a cell of a table can hold it."""
    return text.replace("|", "\\|")


PARTS: Mapping[str, Callable[[], str]] = {
    "complaints": complaints_table,
    "commands": commands_page,
    "metrics_of_every_process": partial(metrics_of, None),
    **{f"metrics_of_{process}": partial(metrics_of, process) for process in Process},
    "labels": labels_table,
    "buckets": buckets_table,
    "settings": settings_table,
    "values": values_table,
    "topics": topics_part,
    "messages": messages_part,
}
