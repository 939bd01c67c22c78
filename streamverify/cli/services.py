"""Begins the log of a service, and says for its command which package is not installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamverify.cli.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.settings import Settings

LOG = ("log_level", "log_format", "log_dir")
"""The settings of the log of a service."""


def log_as(command: str, settings: Settings) -> None:
    """Begin the log of a service. Its file is named after the command, and the instance where that has a name."""
    from streamverify.logs import configure  # noqa: PLC0415 - keeps --help fast

    name = "-".join((command, *filter(None, [settings.group_instance_id])))
    configure(settings.log_level, settings.log_format, log_dir=settings.log_dir, name=name)


@contextmanager
def extra(name: str, what: str, *modules: str) -> Iterator[None]:
    """Import within the block what the extra `name` installs.

    Args:
        name: The extra of the package streamverify.
        what: What needs which packages, in words.
        modules: The modules that tell by their absence that the extra is not installed.

    Raises:
        MissingExtraError: It is not installed; the message has the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        # Any other module that is missing is a bug, and keeps its traceback.
        if error.name not in modules:
            raise
        raise MissingExtraError(f"{what}: pip install 'streamverify[{name}]'") from None
