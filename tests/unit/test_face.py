"""`import streamverify` is free; its names are there when they are asked for."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from types import FunctionType
from typing import TYPE_CHECKING

import pytest

import streamverify

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("name", streamverify.__all__)
def test_every_name_of_the_face_can_be_imported(name: str) -> None:
    found = getattr(streamverify, name)
    assert isinstance(found, str) if name == "__version__" else found.__name__ == name


def _members() -> Iterator[tuple[str, object]]:
    """Every public name of the face, and every method and property that its class itself defines."""
    for name in streamverify.__all__:
        found = getattr(streamverify, name)
        if isinstance(found, str):
            continue
        yield name, found
        if inspect.isclass(found):
            for member, value in vars(found).items():
                if not member.startswith("_") and isinstance(value, FunctionType | property):
                    yield f"{name}.{member}", value


MEMBERS = list(_members())


@pytest.mark.parametrize(("name", "member"), MEMBERS, ids=[name for name, _ in MEMBERS])
def test_every_name_says_in_a_sentence_what_it_is_or_does(name: str, member: object) -> None:
    first = (inspect.getdoc(member) or "").split("\n\n")[0]
    assert first.endswith("."), name
    assert not re.match(r"(What|How|Where|Whether|Which|When|Why)\b", first), f"{name}: {first}"
    if isinstance(member, FunctionType) and "timeout" in inspect.signature(member).parameters:
        assert re.search(r"timeout: Seconds", member.__doc__ or ""), f"{name}: in which unit is its timeout?"


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
