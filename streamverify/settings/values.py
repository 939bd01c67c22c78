"""Types and checks of values that settings of several subjects share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pathlib import Path

PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_SERVER = rf"(\[[0-9A-Fa-f:.]+\]|[^\s,:/\[\]]+):{PORT}"
SERVERS = rf"^\s*{_SERVER}(\s*,\s*{_SERVER})*\s*$"

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def check_path(path: Path | None, *, folder: bool = False) -> Path | None:
    """Refuse a path under which there is no file (or no folder), and return any other.

    Raises:
        ValueError: Nothing of that kind is there.
    """
    if path is not None and not (path.is_dir() if folder else path.is_file()):
        raise ValueError(f"there is no such {'folder' if folder else 'file'}: {path}")
    return path


def wrong_setting(setting: str, message: str) -> PydanticCustomError:
    """Make the error of a setting that does not go with others."""
    # The message is an argument, because braces in it would be taken for a format.
    return PydanticCustomError("wrong_setting", "{message}", {"setting": setting, "message": message})
