"""Passes on what aiokafka logs: once an outage, in our words.

Without a broker aiokafka logs some fifty lines a second. Our own commands silence it (`logs.py`) and say themselves
what an operator has to know; this is for a program of a user that has our client in it and configures no logging.
"""

from __future__ import annotations

import logging

from streamverify.core.log.once import Once

LIBRARY = "aiokafka"
QUIET_SECONDS = 60.0
"""An outage is over, for the log, when aiokafka has complained of nothing for so long."""

_OURS = logging.getLogger("streamverify.kafka")
_OUTAGE = (
    "unable connect",
    "unable to update metadata",
    "failed fetch messages",
    "unable to bootstrap",
    "error sending",
)
"""Beginnings of what aiokafka logs, in small letters, when brokers do not answer."""
_NO_ANSWER = ("KafkaConnectionError", "NodeNotReadyError", "RequestTimedOutError", "KafkaTimeoutError")
"""Errors that it logs then, in many a sentence."""


class OnceAnOutage(logging.Handler):
    """Takes every warning of aiokafka, and passes on the first of an outage."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.servers: set[str] = set()
        """The bootstrap servers of the clients in this process."""
        self._once = Once(QUIET_SECONDS)

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, if it is new."""
        template = str(record.msg)
        said = " ".join(record.getMessage().split())[:200]
        is_outage = template.lower().startswith(_OUTAGE) or any(error in said for error in _NO_ANSWER)
        if not self._once.is_new("outage" if is_outage else template, record.created):
            return
        if is_outage:
            _OURS.warning(
                "no Kafka broker answers at %s (%s): tried again until one does; of this outage nothing more is "
                "logged (logging.getLogger('aiokafka').setLevel('WARNING'), before the client is made, shows all)",
                ", ".join(sorted(self.servers)),
                said,
            )
        else:
            _OURS.log(record.levelno, "%s: %s (logged once)", record.name, said)


def say_once(servers: str) -> None:
    """Let aiokafka complain once an outage, unless this program has chosen how aiokafka logs.

    Args:
        servers: The bootstrap servers of a client that is about to be made.
    """
    library = logging.getLogger(LIBRARY)
    ours = [handler for handler in library.handlers if isinstance(handler, OnceAnOutage)]
    # Whoever has set a level or a handler wants to see what aiokafka says, as it says it.
    if not ours and not library.handlers and library.level == logging.NOTSET:
        ours = [OnceAnOutage()]
        library.addHandler(ours[0])
        library.propagate = False
    for handler in ours:
        handler.servers.add(servers)
