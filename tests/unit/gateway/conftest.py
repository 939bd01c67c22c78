"""The plugin of schemathesis, for test_app_openapi.py alone: no plugin is loaded that pyproject.toml does not name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Were pytest to import it, it would rewrite the assertions of all 244 modules of schemathesis, in every process.
    config.pluginmanager.register(import_module("schemathesis.pytest.plugin"), "schemathesis")
