"""The shape of the package: a class of more than fifteen methods is two, and so is a file of more than 400 lines."""

from __future__ import annotations

import ast
from pathlib import Path

import streamverify

PACKAGE = Path(streamverify.__file__).parent
FILES = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
MAX_METHODS, MAX_LINES = 15, 400


def classes_of_more_methods(source: str, most: int) -> list[str]:
    """The classes that define more methods than that, properties and dunders too."""
    methods = {
        node.name: sum(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
    }
    return [f"{name} has {count} methods" for name, count in methods.items() if count > most]


def test_no_class_has_more_than_fifteen_methods() -> None:
    found = {name: classes_of_more_methods(source, MAX_METHODS) for name, source in FILES.items()}
    large = {name: classes for name, classes in found.items() if classes}
    assert large == {}, "split each where there are two things: state and decisions, or two roles"


def test_no_file_has_more_than_400_lines() -> None:
    long = {name: lines for name, source in FILES.items() if (lines := source.count("\n")) > MAX_LINES}
    assert long == {}, "a part of each is a module of its own"


def test_methods_of_all_kinds_are_counted() -> None:
    source = "class A:\n    def a(self): ...\n    async def b(self): ...\n    @property\n    def c(self): ...\n"
    assert classes_of_more_methods(source, 3) == []
    assert classes_of_more_methods(source, 2) == ["A has 3 methods"]
