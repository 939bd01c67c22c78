"""The settings of the log: its level, its form and its folder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class LogSettings(BaseModel):
    """The log of every command."""

    log_level: Annotated[
        Literal["trace", "debug", "info", "warning", "error"],
        Field(
            description="Lowest level of the events that are logged. trace: also every line of the Kafka client's own "
            "log, which is long."
        ),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], Field(description="Form of the log: text for people, json for programs.")
    ] = "text"
    log_dir: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Folder for the log, beside stderr: a file of each process, set aside at 20 MiB; five such are "
            "kept.",
        ),
    ] = None
