"""How a connection that fails is explained. The same on a real broker: tests/e2e/test_security_kafka.py."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from streamverify.bus import connection
from streamverify.bus.connection import _cause, client_options, connect, explain_refusal
from streamverify.core.errors import BrokerUnavailable, SettingsError
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OPTIONS = {"sasl_mechanism": "SCRAM-SHA-256", "sasl_plain_username": "alice", "security_protocol": "SASL_SSL"}
LOGIN = {"security_protocol": "SASL_SSL", "sasl_username": "alice", "sasl_password": "hunter2"}


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SaslAuthenticationFailed("no"), "does not accept the user alice with this password (SCRAM-SHA-256)"),
        (AuthenticationFailedError("no"), "STREAMVERIFY_SASL_PASSWORD"),
        (UnsupportedSaslMechanismError("no"), "does not offer SCRAM-SHA-256"),
        (untrusted(), "is not trusted (self-signed certificate): see STREAMVERIFY_SSL_CAFILE"),
        (ssl.SSLError(1, "wrong version number"), "does this listener speak SASL_SSL"),
    ],
)
def test_a_refusal_names_the_broker_and_the_setting(error: Exception, says: str) -> None:
    said = explain_refusal(error, "kafka:9092", OPTIONS)
    assert "kafka:9092" in said
    assert says in said


@pytest.mark.parametrize(
    "error", [KafkaConnectionError("gone"), OSError("refused"), TimeoutError(), TopicAuthorizationFailedError("t")]
)
def test_what_another_try_may_change_is_no_refusal(error: Exception) -> None:
    assert explain_refusal(error, "kafka:9092", OPTIONS) == ""


# --- options --------------------------------------------------------------------------------------------------------


def test_a_plain_connection_has_no_security() -> None:
    assert client_options(load_settings(bootstrap_servers="a:1,b:2")) == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "PLAINTEXT",
    }


def test_a_login_over_tls_checks_the_brokers_name_and_certificate() -> None:
    options = client_options(load_settings(sasl_mechanism="SCRAM-SHA-512", **LOGIN))  # type: ignore[arg-type]
    assert (options["sasl_mechanism"], options["sasl_plain_username"], options["sasl_plain_password"]) == (
        "SCRAM-SHA-512",
        "alice",
        "hunter2",
    )
    context = options["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key, which has the password `secret`."""
    openssl = shutil.which("openssl")
    assert openssl, "this machine has no openssl"
    folder = tmp_path_factory.mktemp("pair")
    files = ("-keyout", "key.pem", "-out", "cert.pem", "-passout", "pass:secret")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=test", *files],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem", folder / "key.pem"


def with_certificate(pair: tuple[Path, Path], password: str | None) -> dict[str, Any]:
    given: dict[str, Any] = {"ssl_certfile": pair[0], "ssl_keyfile": pair[1], "ssl_cafile": pair[0]}
    return client_options(load_settings(security_protocol="SSL", ssl_keyfile_password=password, **given))


def test_a_certificate_of_ours_is_loaded_with_its_password(pair: tuple[Path, Path]) -> None:
    assert with_certificate(pair, "secret")["ssl_context"].cert_store_stats()["x509"] == 1


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_password_that_is_wrong_or_missing_is_never_asked_for(pair: tuple[Path, Path], password: str | None) -> None:
    with pytest.raises(SettingsError, match="--ssl-keyfile-password"):
        with_certificate(pair, password)


def test_a_file_without_certificates_is_a_wrong_setting(pair: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError, match="--ssl-cafile"):
        client_options(load_settings(security_protocol="SSL", ssl_cafile=pair[1]))


def test_a_key_without_its_certificate_is_a_wrong_setting(pair: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError, match="--ssl-keyfile: needs ssl_certfile"):
        load_settings(ssl_keyfile=pair[1])


def test_passwords_are_not_shown(pair: tuple[Path, Path]) -> None:
    settings = load_settings(ssl_certfile=pair[0], ssl_keyfile_password="hunter2")
    assert "hunter2" not in repr(settings)


# --- connecting -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def mute() -> AsyncIterator[str]:
    """The address of a server that closes every connection."""

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


async def complaint(servers: str) -> str:
    def make() -> AIOKafkaAdminClient:
        return AIOKafkaAdminClient(bootstrap_servers=servers)

    with pytest.raises(BrokerUnavailable) as caught:
        await connect(make, servers, broker_timeout=0.2)
    return str(caught.value)


async def test_where_something_listens_the_protocol_is_the_question(mute: str) -> None:
    said = await complaint(mute)
    assert "something listens there" in said
    assert "STREAMVERIFY_SECURITY_PROTOCOL=PLAINTEXT" in said


async def test_a_bootstrap_server_that_hangs_is_left_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TRY_SECONDS", 0.05)
    tried = []

    class Client:
        def __init__(self) -> None:
            self._client = SimpleNamespace(_bootstrap_servers="a:1,b:1,c:1", hosts=[])

        async def start(self) -> None:
            tried.append(self._client._bootstrap_servers)
            if self._client._bootstrap_servers != "c:1":
                await asyncio.sleep(60)

        async def close(self) -> None:
            return

    async def no_refusal(_client: Any) -> str:
        return ""

    monkeypatch.setattr(connection, "_refusal", no_refusal)
    await connect(Client, "a:1,b:1,c:1")
    assert tried == ["a:1,b:1,c:1", "b:1", "c:1"]


async def test_where_nothing_listens_the_address_is_the_question() -> None:
    said = await complaint("127.0.0.1:1")
    assert "STREAMVERIFY_BOOTSTRAP_SERVERS" in said
    assert "SECURITY_PROTOCOL" not in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KafkaConnectionError("refused"), "KafkaConnectionError: refused"),
        (TimeoutError(), "TimeoutError"),
        (OSError("no route\nto host"), "OSError: no route to host"),
    ],
)
def test_the_cause_names_its_error_once(error: BaseException, said: str) -> None:
    assert _cause(error) == said
