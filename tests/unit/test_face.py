"""`import streamverify` is free; its names are there when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import streamverify


@pytest.mark.parametrize("name", streamverify.__all__)
def test_every_name_of_the_face_can_be_imported(name: str) -> None:
    found = getattr(streamverify, name)
    assert isinstance(found, str) if name == "__version__" else found.__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = streamverify.Nothing


def test_the_face_lists_its_names() -> None:
    assert set(streamverify.__all__) <= set(dir(streamverify))


def test_importing_the_package_alone_loads_no_library() -> None:
    heavy = ("aiokafka", "aiohttp", "pydantic", "orjson", "structlog", "faust")
    program = f"import sys, streamverify; print(*(name for name in {heavy!r} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == ""
