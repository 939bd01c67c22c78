"""Sets up logging: each event is one line on stderr and, with LOG_DIR, in a file: `event key=value …` or JSON.

Values are cut to 200 characters, so no event has a whole proof. Every warning and error has a `hint`: what it means,
and what to do. Of a storm of the same event the first lines are logged, then how many came besides.
"""

from __future__ import annotations

import atexit
import fcntl
import itertools
import logging
import os
import re
import sys
import threading
import time
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from streamverify.core.errors import SettingsError
from streamverify.core.log.log_storms import LogStorms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from structlog.typing import EventDict, Processor

    from streamverify.core.log.log_storms import Suppressed

MAX_VALUE = 200
"""Characters of a value that are logged: proofs and answers of Lean do not belong into a log."""


FILE_BYTES = 20 * 1024**2
"""Bytes of a log file, after which it is set aside as `NAME.log.1` and a new one begun."""
OLD_FILES = 5
"""The number of files set aside that are kept; older ones are deleted."""


def _cut_values(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        # A traceback is needed whole: it ends with what is wrong.
        if isinstance(value, str) and len(value) > MAX_VALUE and key != "exception":
            event[key] = value[:MAX_VALUE] + "…"
    return event


def leave_to_the_program() -> None:
    """Hand our events to Python's `logging` where nobody has configured structlog: in a program that has our client.

    structlog's own default is to print them to stdout, which is the program's. `logging` shows warnings on stderr, and
    whatever the program has configured.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.processors.format_exc_info,
                structlog.processors.KeyValueRenderer(key_order=["event"]),
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=False,
        )


def configure(level: str, log_format: str, *, log_dir: str | None = None, name: str = "streamverify") -> None:
    """Send our events and those of the libraries to stderr and into a file, in the same form.

    Args:
        level: The lowest level of our events; `trace`: all of them, and all that the libraries log.
        log_format: `text` or `json`.
        log_dir: A folder for a file of this process, made if it is not there; None: no file.
        name: What the file is named after: the command, and the worker where it has a name.

    Raises:
        SettingsError: No file can be written in that folder.
    """
    # Whoever configures again has new handlers: what the earlier ones suppressed is not said through these.
    while _in_use:
        atexit.unregister(_in_use.pop().last)
    storms = None if level == "trace" else Sampling()
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _cut_values,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *(() if storms is None else (storms.of_ours,)),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # The loggers of modules are there before this, and a cached one would go on as at its first event.
        cache_logger_on_first_use=False,
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_formatter(shared, log_format, colors=sys.stderr.isatty()))
    if log_dir is not None:
        handlers.append(LogFile(log_dir, name))
        handlers[1].setFormatter(_formatter(shared, log_format, colors=False))
    root = logging.getLogger()
    for old in root.handlers:
        old.close()
    root.handlers = handlers
    if storms is not None:
        _in_use.append(storms)
        atexit.register(storms.last)
        # A filter of the root logger itself would not be asked about what other loggers pass on to it.
        for handler in handlers:
            handler.addFilter(storms.of_libraries)
    root.setLevel("DEBUG" if level == "trace" else level.upper())
    # The Kafka client logs each join, each retried request and, at debug, each message of the protocol, in which our
    # own events would drown. We log ourselves what an operator has to know of it.
    logging.getLogger("aiokafka").setLevel(logging.DEBUG if level == "trace" else logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.DEBUG if level == "trace" else logging.WARNING)


@contextmanager
def silence() -> Iterator[None]:
    """Log nothing for the time of the block: something is drawn where the log would be written."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, [logging.NullHandler()]
    try:
        yield
    finally:
        root.handlers = before


class Sampling:
    """Drops the events of a storm before they cost anything, and says from time to time how many there were.

    Ours are dropped before they are written, those of libraries before they are formatted. What is below `info` is
    there because somebody asked for all of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._storms: LogStorms[tuple[str, str]] = LogStorms()
        # Not only the event loop logs: the exporter of spans is a thread, and so is SQLite's.
        self._lock = threading.Lock()

    def of_ours(self, logger: Any, _method: str, event: EventDict) -> EventDict:
        """Drop one of our own events, as a processor of structlog's.

        Raises:
            DropEvent: Too many of the same kind came.
        """
        kind = str(event.get("event"))
        if kind != _SUPPRESSED and not self._may_pass((logger.name, kind), _LEVELS.get(_method, logging.INFO)):
            raise structlog.DropEvent
        return event

    def of_libraries(self, record: logging.LogRecord) -> bool:
        """Drop an event of a library, as a filter of a handler. Ours have been asked about."""
        if isinstance(record.msg, dict):
            return True
        # This is asked by each of two handlers, and one event is counted once.
        kept = record.__dict__
        if _ASKED not in kept:
            kept[_ASKED] = self._may_pass((record.name, str(record.msg)[:MAX_VALUE]), record.levelno)
        return bool(kept[_ASKED])

    def last(self) -> None:
        """Say what is left to say: the process ends."""
        with self._lock:
            left = self._storms.all_due(self._clock())
        _say(left)

    def _may_pass(self, kind: tuple[str, str], level: int) -> bool:
        if level < logging.INFO:
            return True
        with self._lock:
            now = self._clock()
            due = self._storms.due(now)
            passes = self._storms.may_pass(kind, now)
        # Outside the lock: each of these is an event, too.
        _say(due)
        return passes


_in_use: list[Sampling] = []
_ASKED = "streamverify_sampled"
"""The attribute of a log record that says whether it passed, once it was asked."""
_SUPPRESSED = "suppressed"
_LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error", "critical")} | {
    "exception": logging.ERROR
}


def _say(due: Sequence[Suppressed[tuple[str, str]]]) -> None:
    for (logger, kind), events, seconds in due:
        structlog.get_logger(logger).warning(
            _SUPPRESSED,
            of=kind,
            events=events,
            seconds=round(seconds, 1),
            hint="as many more events of this kind came and were not logged: the first of them say what it is about",
        )


def _formatter(shared: Sequence[Processor], log_format: str, *, colors: bool) -> logging.Formatter:
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


class LogFile(RotatingFileHandler):
    """The log file of one process: `NAME.log`, or `NAME-2.log` while another process writes the first.

    A file is this process's as long as it lives, by a lock that the kernel gives up with it; so a worker that comes
    back goes on in the file of its predecessor, and the number of files stays bounded.
    """

    def __init__(self, log_dir: str, name: str) -> None:
        folder = Path(log_dir)
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stem, self._lock = _claim(folder, safe)
            super().__init__(folder / f"{stem}.log", maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"STREAMVERIFY_LOG_DIR (--log-dir): no log can be written to {folder} ({error.strerror})"
            ) from None
        self._failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the library's signature
        """Say once that the file cannot be written (a full disk): the log on stderr goes on."""
        if not self._failed:
            self._failed = True
            sys.stderr.write(f"no more is logged to {self.baseFilename} ({sys.exc_info()[1]})\n")

    def close(self) -> None:
        """Close the file, and let another process have it."""
        super().close()
        with suppress(OSError):
            os.close(self._lock)


def _claim(folder: Path, name: str) -> tuple[str, int]:
    """Take the first name that no living process has. Returns it, and the descriptor that holds its lock."""
    for number in itertools.count(1):
        stem = name if number == 1 else f"{name}-{number}"
        lock = os.open(folder / f".{stem}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        except OSError:
            os.close(lock)
            raise
        else:
            return stem, lock
    raise AssertionError
