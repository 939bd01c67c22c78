"""The Faust application: our settings, and nothing of its own."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth, server_list
from faust.types.auth import CredentialsT

from streamverify.bus.connection import client_options
from streamverify.bus.topics import changelog_topic, router_group
from streamverify.router.router import router_names
from streamverify.settings import load_settings
from streamverify.streams.application import PartitionedTable, make_application, quieten
from streamverify.streams.faust_consumer import StreamConsumer

if TYPE_CHECKING:
    from pathlib import Path

    from streamverify.streams.application import Application

SASL = {"security_protocol": "SASL_SSL", "sasl_username": "me", "sasl_password": "secret"}


def make(**flags: Any) -> Application:
    settings = load_settings(**flags)
    return make_application(settings, router_names(settings), 3, print)


def conf(**flags: Any) -> Any:
    return make(**flags).conf


async def test_the_names_follow_the_group() -> None:
    settings = load_settings(group_id="g")
    assert (router_group(settings), changelog_topic(settings)) == ("g-router", "g-router-headers-changelog")
    app = make(group_id="g")
    table = PartitionedTable[Any, Any](app, name="headers")
    assert app.conf.id == "g-router"
    assert table.changelog_topic.get_topic_name() == changelog_topic(settings)


async def test_all_brokers_are_named() -> None:
    made = conf(bootstrap_servers="a:1, [::1]:9093,c:9092")
    assert server_list(made.broker_consumer, 9092) == ["a:1", "[::1]:9093", "c:9092"]
    assert made.broker_producer == made.broker_consumer


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ({}, type(None)),
        ({"security_protocol": "SSL"}, SSLCredentials),
        (SASL, SASLCredentials),
        (SASL | {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256"}, SASLCredentials),
        (SASL | {"sasl_mechanism": "SCRAM-SHA-512"}, SASLCredentials),
    ],
)
async def test_security_is_that_of_our_other_clients(flags: dict[str, Any], kind: type) -> None:
    credentials = conf(**flags).broker_credentials
    assert isinstance(credentials, kind)
    assert credentials is None or isinstance(credentials, CredentialsT)
    theirs = dict(credentials_to_aiokafka_auth(credentials))
    ours = client_options(load_settings(**flags))
    ours.pop("bootstrap_servers")
    contexts = theirs.pop("ssl_context", None), ours.pop("ssl_context", None)
    assert theirs == ours
    assert [isinstance(context, ssl.SSLContext) for context in contexts] == [
        ours["security_protocol"].endswith("SSL")
    ] * 2


async def test_its_environment_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BROKER_URL": "kafka://elsewhere",
        "BROKER_SESSION_TIMEOUT": "1",
        "APP_ENV_PREFIX": "X",
        "STREAM_WAIT_EMPTY": "0",
        "PROCESSING_GUARANTEE": "exactly_once",
    }.items():
        monkeypatch.setenv(name, value)
    made = conf(bootstrap_servers="here:1")
    assert server_list(made.broker, 9092) == ["here:1"]
    assert made.stream_wait_empty
    assert made.processing_guarantee.value == "at_least_once"


async def test_the_sessions_time_is_ours() -> None:
    made = conf(session_timeout_ms=300_000, group_instance_id="one")
    assert (made.broker_session_timeout, made.consumer_group_instance_id) == (300, "one")
    assert made.broker_request_timeout > 300
    assert conf(session_timeout_ms=6000).broker_heartbeat_interval == 2.0


async def test_it_makes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = make()
    await app.on_first_start()
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a test may block


async def test_the_consumer_is_ours_and_ends_with_the_process() -> None:
    consumer = make().consumer
    assert isinstance(consumer, StreamConsumer)
    thread = consumer._new_consumer_thread()
    assert thread.Worker(thread).daemon
    thread.thread_loop.close()
    consumer._thread.thread_loop.close()


def test_faust_says_only_what_went_wrong() -> None:
    loggers = [logging.getLogger(name) for name in ("faust", "mode")]
    before = [logger.level for logger in loggers]
    try:
        for chosen in ("info", "debug"):
            quieten(chosen)
            assert {logger.level for logger in loggers} == {logging.WARNING}
        quieten("trace")
        assert {logger.level for logger in loggers} == {logging.DEBUG}
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
