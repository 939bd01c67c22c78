"""Connects every Kafka client of ours: their options, tries while brokers start, and messages for what failed."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidConfigurationError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidRequestError,
    InvalidTopicError,
    KafkaError,
    PolicyViolationError,
    SaslAuthenticationFailed,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnrecognizedBrokerVersion,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)

from streamverify.bus.client_log import say_once
from streamverify.bus.metadata import never_makes_topics
from streamverify.core.errors import BrokerUnavailable, SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

BROKER_TIMEOUT = 10.0
"""Seconds that whatever starts tries to reach a broker, and then each call of its start, before it gives up."""
TRY_SECONDS = 3.0
"""Seconds for one try of one call, where another broker can be asked: one that took the request and hangs is left,
where Kafka's own limit (40 s) would leave no time to ask another."""
_SHORT_TRIES = 2
_START_TIMEOUT = 30.0
_DIAGNOSIS_TIMEOUT = 5.0
_FIRST_BACKOFF = 0.2
_MAX_BACKOFF = 5.0


class _Startable(Protocol):
    async def start(self) -> None: ...


C = TypeVar("C", bound=_Startable)
T = TypeVar("T")

_PERMANENT = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidConfigurationError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidRequestError,
    InvalidTopicError,
    PolicyViolationError,
    SaslAuthenticationFailed,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnrecognizedBrokerVersion,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)
"""Errors that another try does not change. Of all others aiokafka marks too few as retriable to go by its mark."""


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments of any aiokafka client: brokers and security.

    Raises:
        SettingsError: A certificate or key cannot be used.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.sasl_password is not None:
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    return options


def make_producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """Make a producer that is not started: idempotent, acknowledged by all replicas.

    Args:
        settings: How to connect.
        options: The options of aiokafka in which our producers differ: sizes, and the partitioner.
    """
    return AIOKafkaProducer(
        **client_options(settings), acks="all", enable_idempotence=True, compression_type="lz4", **options
    )


def make_reader(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """Make a consumer that is not started, joins no group and commits nothing; `options` are more of aiokafka."""
    return AIOKafkaConsumer(
        **client_options(settings), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", **options
    )


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    """Load the certificates that we trust and, if there is one, our own."""
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
    except (ssl.SSLError, OSError) as error:
        name = settings.origins.words("ssl_cafile")
        raise SettingsError(f"{name}: {settings.ssl_cafile} holds no certificates: {error}") from None
    if settings.ssl_certfile is not None:
        secret = settings.ssl_keyfile_password
        # Without a password of ours OpenSSL would ask for one on the terminal.
        password = secret.get_secret_value() if secret else ""
        try:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password)
        except (ssl.SSLError, OSError) as error:
            names = settings.origins.words
            raise SettingsError(
                f"{names('ssl_certfile')}: {settings.ssl_certfile}, {names('ssl_keyfile')}: "
                f"{settings.ssl_keyfile or '(not set)'}: certificate and key cannot be read or do not belong together, "
                f"or {names('ssl_keyfile_password')} is wrong ({error})"
            ) from None
    return context


async def connect(make: Callable[[], C], servers: str, *, broker_timeout: float = BROKER_TIMEOUT) -> C:
    """Make and start a client, trying again with back-off until a broker answers. It makes no topics.

    Args:
        make: Builds a client that is not started; a new one is built for each try.
        servers: The bootstrap servers, for the message.
        broker_timeout: Seconds to go on trying.

    Raises:
        BrokerUnavailable: None answered within `broker_timeout`, or the one that did refused us.
    """
    # Before the first client: aiokafka logs each server that does not answer, some fifty lines a second.
    say_once(servers)
    loop = asyncio.get_running_loop()
    give_up = loop.time() + broker_timeout
    backoff = _FIRST_BACKOFF
    each = servers.split(",")
    for count in itertools.count():
        client = make()
        never_makes_topics(client)
        if count and len(each) > 1:
            # aiokafka tries the servers in a random order, and waits for one that hangs until our time is over.
            _kafka_client(client)._bootstrap_servers = each[count % len(each)]  # noqa: SLF001 - public nowhere else
        try:
            # The first tries are short, so that another server's turn comes; then one may take its time.
            limit = TRY_SECONDS if len(each) > 1 and count < _SHORT_TRIES else _START_TIMEOUT
            await asyncio.wait_for(client.start(), timeout=min(limit, max(1.0, give_up - loop.time())))
        except (KafkaError, OSError, TimeoutError) as error:
            await _dispose(client)
            # A broker that hangs refuses nobody; to ask it for a refusal would take the time that others could have.
            hung = isinstance(error, TimeoutError) and loop.time() < give_up
            if refusal := "" if hung else await _refusal(client):
                raise BrokerUnavailable(f"{refusal} (bootstrap servers: {servers})") from error
            if loop.time() >= give_up:
                raise BrokerUnavailable(
                    f"no Kafka broker answers at {servers} (tried for {broker_timeout:g} s: {_cause(error)}); "
                    f"{await _doubt(client)}"
                ) from error
        # Also when cancelled: aiokafka warns of a client that is collected unclosed.
        except BaseException:
            await _dispose(client)
            raise
        else:
            return client
        await asyncio.sleep(max(0.0, min(backoff, give_up - loop.time())))
        backoff = min(backoff * 2, _MAX_BACKOFF)
    raise AssertionError


async def patiently(
    call: Callable[[], Awaitable[T]],
    servers: str,
    *,
    broker_timeout: float = BROKER_TIMEOUT,
    try_seconds: float | None = BROKER_TIMEOUT,
) -> T:
    """Ask a connected client something, again with back-off while the brokers are not ready for it.

    Args:
        call: Asks; it is called anew for each try, so what it does must be safe to be done twice.
        servers: The bootstrap servers, for the message.
        broker_timeout: Seconds to go on trying.
        try_seconds: Seconds that one try may take, within what is left of `broker_timeout`; None: as long as it takes.

    Raises:
        BrokerUnavailable: Every try within `broker_timeout` failed.
        KafkaError: A broker refuses it for good (`is_permanent`).
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + broker_timeout
    backoff = _FIRST_BACKOFF
    while True:
        left = max(1.0, give_up - loop.time())
        try:
            return await asyncio.wait_for(call(), None if try_seconds is None else min(left, try_seconds))
        except (KafkaError, OSError, TimeoutError) as error:
            # To ask again what a broker refuses for good would only delay the message by all of `broker_timeout`.
            if is_permanent(error):
                raise
            if loop.time() >= give_up:
                raise BrokerUnavailable(explain_failure(error, servers, broker_timeout)) from error
            _log.info("brokers_not_ready", error=_cause(error), retry_seconds=backoff)
        await asyncio.sleep(max(0.0, min(backoff, give_up - loop.time())))
        backoff = min(backoff * 2, _MAX_BACKOFF)


def is_permanent(error: BaseException) -> bool:
    """Tell whether a broker refuses a request for good, so that another try, or another broker, changes nothing."""
    return isinstance(error, _PERMANENT)


def explain_failure(error: BaseException, servers: str, broker_timeout: float | None = None) -> str:
    """Word a request that failed, for good or for `broker_timeout` seconds, in one sentence."""
    if broker_timeout is None:
        # Brokers' errors have a sentence of Kafka's own; that of a broker's refusal says more than its text.
        said = getattr(error, "description", "") if isinstance(error, BrokerResponseError) else ""
        return f"the brokers at {servers} refuse a request: {_cause(error)}{f' ({said})' if said else ''}"
    return (
        f"the brokers at {servers} did not answer a request (tried for {broker_timeout:g} s: {_cause(error)}); "
        "is a broker of the cluster down, or still starting?"
    )


async def _refusal(client: Any) -> str:
    """Find out why a broker refuses us at every try. Returns a sentence, "" if no broker says why.

    aiokafka logs the cause and raises "unable to bootstrap": the broker is asked once more for it.
    """
    kafka = _kafka_client(client)
    options = {
        name: getattr(kafka, f"_{name}")
        for name in ("ssl_context", "security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
    }

    async def ask(host: str, port: int) -> str:
        try:
            connection = await asyncio.wait_for(create_conn(host, port, **options), timeout=_DIAGNOSIS_TIMEOUT)
        except (KafkaError, OSError, TimeoutError) as error:
            said = (explain_refusal(cause, f"{host}:{port}", options) for cause in _causes(error))
            return next(filter(None, said), "")
        connection.close()
        return ""

    # All at once: brokers that hang would take the time for each of them.
    answers = await asyncio.gather(*(ask(host, port) for host, port, _family in kafka.hosts))
    return next(filter(None, answers), "")


def _kafka_client(client: Any) -> Any:
    """Return the connection pool of a producer, consumer or admin client: their settings are public nowhere else."""
    return client.client if isinstance(client, AIOKafkaProducer) else client._client  # noqa: SLF001 - see above


def explain_refusal(error: BaseException, server: str, options: dict[str, Any]) -> str:
    """Word an error of security in one sentence; "" for any other error: only those are the same at every try."""
    mechanism, user = options["sasl_mechanism"], options["sasl_plain_username"]
    if isinstance(error, SaslAuthenticationFailed | AuthenticationFailedError):
        return (
            f"the broker {server} does not accept the user {user} with this password ({mechanism}): "
            "see STREAMVERIFY_SASL_USERNAME, STREAMVERIFY_SASL_PASSWORD and STREAMVERIFY_SASL_MECHANISM"
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"the broker {server} does not offer {mechanism}: see STREAMVERIFY_SASL_MECHANISM"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of the broker {server} is not trusted ({error.verify_message.rstrip('.')}): "
            "see STREAMVERIFY_SSL_CAFILE"
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"no TLS with the broker {server} ({getattr(error, 'reason', None) or error}): does this listener speak "
            f"{options['security_protocol']}, and does it want a certificate of ours (STREAMVERIFY_SSL_CERTFILE)?"
        )
    return ""


async def _doubt(client: Any) -> str:
    """Name the setting to look at when no broker answers."""
    kafka = _kafka_client(client)
    for host, port, _family in kafka.hosts:
        with suppress(OSError, TimeoutError):
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout=1.0)
            writer.close()
            protocol = kafka._security_protocol  # noqa: SLF001 - as above
            return f"something listens there: is it Kafka, and is STREAMVERIFY_SECURITY_PROTOCOL={protocol} right?"
    return "is it running, and is STREAMVERIFY_BOOTSTRAP_SERVERS (--bootstrap-servers) right?"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and the errors that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def _dispose(client: Any) -> None:
    """Close a client that did not start, so that it complains about nothing later."""
    close = getattr(client, "stop", None) or client.close
    try:
        await asyncio.wait_for(close(), timeout=2.0)
    except (KafkaError, OSError, TimeoutError, AttributeError):
        # aiokafka's stop() of a half-started client may trip over what start() did not get to make.
        return


def _cause(error: BaseException) -> str:
    name = type(error).__name__
    # aiokafka's errors begin with their name.
    text = " ".join(str(error).split()).removeprefix(f"{name}: ")
    return f"{name}: {text[:160]}" if text else name
