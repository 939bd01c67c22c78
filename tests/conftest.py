"""What every test run has: the options that choose the broker (e2e/conftest.py) and the real Lean of tests/oracle."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from _pytest.assertion import rewrite
from hypothesis import HealthCheck, settings

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# A property is about what comes out; how fast a busy machine draws examples is not. CI draws the same examples each
# time: what it says of a change depends on the change alone. Where a test has a number of its own, that one holds.
settings.register_profile(
    "streamverify",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
# `pytest tests/property --hypothesis-profile thorough` looks for what the other one misses.
settings.register_profile("thorough", settings.get_profile("streamverify"), derandomize=False, max_examples=1000)
settings.load_profile("streamverify")


@pytest.fixture(scope="session", autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a worker learns in one run changes nothing in the next, nor at home."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """What a test runs in this process configures logging; the next test finds it as it was."""
    names = (None, "aiokafka", "asyncio", "faust", "mode")
    before = [(name, log.handlers[:], log.level, log.propagate) for name in names if (log := logging.getLogger(name))]
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
    for name, handlers, level, propagate in before:
        log = logging.getLogger(name)
        for handler in set(log.handlers) - set(handlers):
            handler.close()
        log.handlers, log.level, log.propagate = handlers, level, propagate


def pytest_configure() -> None:
    """See to it that a user's shell changes nothing: neither his settings nor a background job's ignored SIGINT.

    What the tests start has to hear Ctrl-C, also in a background job, whose children inherit SIGINT ignored.
    """
    for name in [name for name in os.environ if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_")]:
        # A least version of Lean, a broker, a topic of his own: each would decide some test's outcome.
        del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Rewrite the assertions of the tests before the processes of xdist start, each of which would rewrite them all.

    In a new checkout that is half of what it costs to collect the tests. pytest has no public name for it, and does it
    as it imports a test; what is written here is in its own cache, which it checks against the source. With a pytest
    that has other names inside, each process rewrites them, as without this.
    """
    with contextlib.suppress(AttributeError, TypeError):
        _rewrite_assertions(config)


def _rewrite_assertions(config: pytest.Config) -> None:
    if sys.dont_write_bytecode or rewrite.assertstate_key not in config.stash:
        return
    state = config.stash[rewrite.assertstate_key]
    folders = [Path(argument.partition("::")[0]) for argument in config.args]
    for file in (found for folder in folders for found in (folder.rglob("*.py") if folder.is_dir() else [folder])):
        cache = rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"
        # The other modules of the tests are helpers, whose assertions pytest leaves as they are.
        is_rewritten = file.name.startswith("test_") or file.name == "conftest.py"
        if is_rewritten and rewrite.try_makedirs(cache.parent) and rewrite._read_pyc(file, cache) is None:
            source_hash, code = rewrite._rewrite_test(file, config)
            rewrite._write_pyc(state, code, source_hash, cache)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while some hundred thousand objects are made that all stay: a third of the time of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        # What was collected lives to the end: no later search for garbage goes through it.
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        action="store_true",
        help="run what needs a broker on a real Apache Kafka, and on nothing else",
    )
    parser.addoption("--trl", action="store_true", help="run tests/training, which trains with the real TRL")
    parser.addoption("--languages", action="store_true", help="run tests/languages: Java, Go, Rust and kcat")
    parser.addoption("--helm", action="store_true", help="run tests/helm, which renders the chart with a real Helm")
    parser.addoption("--oracle", action="store_true", help="run tests/oracle, which asks a real Lean 4.35")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--kafka` nothing needs a real Kafka; with it nothing of e2e runs that needs none."""
    # The processes of xdist must collect the same tests, so no name may have what differs between processes.
    if strange := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"the address of an object is part of the name: {strange[0]}")
    real = config.getoption("--kafka")
    unwanted = [item for item in items if _is_for_the_other_run(item, real=real)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]


def _is_for_the_other_run(item: pytest.Item, *, real: bool) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    on_kafka = item.get_closest_marker("kafka") is not None or "kafka" in fixtures
    if real:
        # What starts a broker of its own, or none, has the same answer in both runs: `make test` has it. So has it
        # what is marked `any_broker`: groups, topics, their settings, offsets, what is lost or comes twice are not.
        same = "broker" not in fixtures or item.get_closest_marker("any_broker") is not None
        return "e2e" in item.path.parts and not on_kafka and same
    return on_kafka
