"""The errors that only the command line knows."""

from __future__ import annotations

from streamverify.core.errors import StreamVerifyError


class InputError(StreamVerifyError):
    """An argument of the command line makes no sense, or names something that is not there."""

    exit_code = 2


class ChildDied(StreamVerifyError):
    """A process that a command started ended by itself. The message has its last log lines."""

    exit_code = 4


class MissingExtraError(StreamVerifyError):
    """A command needs packages that are not installed."""

    exit_code = 2


class OutputError(StreamVerifyError):
    """The answer of a command cannot be written: the disk is full, or there is no standard output."""

    exit_code = 2


class ReaderGone(StreamVerifyError):
    """The program that we are piped into (`head`) has closed its end. It has what it wanted: this is no failure."""

    exit_code = 0
