"""The errors that only the command line knows."""

from __future__ import annotations

from streamverify.core.errors import StreamVerifyError


class InputError(StreamVerifyError):
    """What was named on the command line is not there, or an argument makes no sense."""

    exit_code = 2


class ChildDied(StreamVerifyError):
    """A process that a command started ended by itself; the message has the last of what it said."""

    exit_code = 4


class MissingExtraError(StreamVerifyError):
    """The command needs packages that are not installed."""

    exit_code = 2
