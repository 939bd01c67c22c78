"""The real Lean that these tests ask. They are run with `--oracle`; what they cannot have is then a failure."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest
from oracle.lean435 import Leans, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without `--oracle` these files are not there."""
    return None if config.getoption("--oracle") or collection_path.name == "conftest.py" else True


def pytest_configure() -> None:
    """Draw the fresh seed once: workers of xdist inherit it."""
    os.environ.setdefault("ORACLE_SEED", str(secrets.randbelow(1 << 32)))


def pytest_report_header() -> str:
    """Name the fresh seed at the beginning of the run."""
    return (
        f"fresh seed of tests/oracle: {os.environ['ORACLE_SEED']} (ORACLE_SEED={os.environ['ORACLE_SEED']} repeats it)"
    )


@pytest.fixture(scope="session", params=["fixed", "fresh"])
def seed(request: pytest.FixtureRequest) -> int:
    """A seed that is always the same, and one of this run."""
    return int(os.environ["ORACLE_SEED"]) if request.param == "fresh" else 4350


@pytest.fixture(scope="session")
def lean_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executable `lean` of version 4.35.0 without library."""
    return command(tmp_path_factory.mktemp("lean435"))


@pytest.fixture(scope="module")
def leans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leans]:
    """A fork server; its folder is also its LEAN_PATH."""
    with Leans(tmp_path_factory.mktemp("files")) as started:
        yield started
