"""The commands of services: the name of their log, and a package that is not installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from streamverify.cli.errors import MissingExtraError
from streamverify.cli.services import extra, log_as
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtraError) as caught, extra("router", "the router needs Faust", "faust"):
        raise ModuleNotFoundError("No module named 'faust'", name="faust")
    assert str(caught.value) == "the router needs Faust: pip install 'streamverify[router]'"


def test_another_missing_module_is_a_bug_and_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError), extra("router", "the router needs Faust", "faust"):
        raise ModuleNotFoundError("No module named 'streamverify.x'", name="streamverify.x")


@pytest.mark.parametrize(("given", "name"), [({}, "table.log"), ({"group_instance_id": "a1"}, "table-a1.log")])
def test_the_log_is_named_after_the_command_and_its_instance(tmp_path: Path, given: Any, name: str) -> None:
    before = logging.getLogger().handlers
    try:
        log_as("table", load_settings(log_dir=str(tmp_path), **given))
        assert (tmp_path / name).exists()
    finally:
        for handler in logging.getLogger().handlers:
            handler.close()
        logging.getLogger().handlers = before
