"""The error of a report: it is always about something that was named on the command line."""

from __future__ import annotations

from streamverify.core.errors import StreamVerifyError


class ReportError(StreamVerifyError):
    """A file is not there, is no report or no file of verdicts, or a report cannot be written."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        # The name of a file may have a line break in it, and an error is one line.
        super().__init__(message.replace("\n", "␊"))
