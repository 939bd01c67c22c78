"""How every Kafka client of ours connects."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aiokafka.errors import KafkaError

from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.settings import Settings

PATIENCE = 10.0
"""Seconds that a command tries to reach a broker before it says that there is none."""
_START_TIMEOUT = 30.0
_FIRST_BACKOFF = 0.2
_LONGEST_BACKOFF = 5.0


class _Client(Protocol):
    async def start(self) -> None: ...


C = TypeVar("C", bound=_Client)


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for any aiokafka client: brokers and security."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        cafile = str(settings.ssl_cafile) if settings.ssl_cafile else None
        options["ssl_context"] = ssl.create_default_context(cafile=cafile)
    if settings.sasl_password is not None:
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    return options


async def connect(make: Callable[[], C], servers: str, *, patience: float = PATIENCE) -> C:
    """Make and start a client, trying again with back-off until a broker answers.

    Args:
        make: Builds a client that is not started; a new one is built for each try.
        servers: The bootstrap servers, for the message.
        patience: Seconds to go on trying.

    Raises:
        BrokerUnavailable: None answered within `patience`, or the one that did refused us.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience
    backoff = _FIRST_BACKOFF
    while True:
        client = make()
        try:
            await asyncio.wait_for(client.start(), timeout=min(_START_TIMEOUT, max(1.0, give_up - loop.time())))
        except (KafkaError, OSError, TimeoutError) as error:
            await _dispose(client)
            if loop.time() >= give_up:
                raise BrokerUnavailable(
                    f"no Kafka broker answers at {servers} (tried for {patience:g} s: {_cause(error)}); "
                    "is it running, and is STREAMVERIFY_BOOTSTRAP_SERVERS (--bootstrap-servers) right?"
                ) from error
        except BaseException:
            await _dispose(client)
            raise
        else:
            return client
        await asyncio.sleep(max(0.0, min(backoff, give_up - loop.time())))
        backoff = min(backoff * 2, _LONGEST_BACKOFF)


async def _dispose(client: Any) -> None:
    """Close a client that did not start, so that it complains about nothing later."""
    close = getattr(client, "stop", None) or client.close
    try:
        await asyncio.wait_for(close(), timeout=2.0)
    except (KafkaError, OSError, TimeoutError, AttributeError):
        # aiokafka's stop() of a half-started client may trip over what start() did not get to make.
        return


def _cause(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__
