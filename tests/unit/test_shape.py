"""The shape of the package: a class of more than fifteen methods is two, and so is a file of more than 400 lines.

Its docstrings are sentences: none begins with a question word, as a noun clause does. Each room of more than three
modules has a contract of import-linter that names every one of them.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from configparser import ConfigParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from support import ROOT

import streamverify

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE = Path(streamverify.__file__).parent
FILES = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
TESTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "tests").rglob("*.py"))}
MAX_METHODS, MAX_LINES = 15, 400
MAX_WITHOUT_CONTRACT = 3
"""Modules that a reader sees at a glance, without a contract that says which is above which."""
QUESTION_WORDS = {"How", "What", "When", "Where", "Whether", "Which", "Who", "Whose", "Why"}


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
    long = {name: lines for name, source in (FILES | TESTS).items() if (lines := source.count("\n")) > MAX_LINES}
    assert long == {}, "a part of each is a module of its own"


def noun_clauses(source: str) -> list[str]:
    """The docstrings that begin with a question word."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    first_lines = [docstring.splitlines()[0] for node in nodes if (docstring := ast.get_docstring(node))]
    return [line for line in first_lines if line.split(maxsplit=1)[0].strip("',.:;") in QUESTION_WORDS]


def test_no_docstring_begins_with_a_question_word() -> None:
    found = {name: clauses for name, source in FILES.items() if (clauses := noun_clauses(source))}
    assert found == {}, "say what it returns or does: a sentence with a verb, or a plain noun"


def test_noun_clauses_are_found_at_classes_functions_and_modules() -> None:
    source = '"""Whether."""\nclass A:\n    """What it is."""\n    async def a(self):\n        """Return it."""\n'
    assert noun_clauses(source) == ["Whether.", "What it is."]


def test_methods_of_all_kinds_are_counted() -> None:
    source = "class A:\n    def a(self): ...\n    async def b(self): ...\n    @property\n    def c(self): ...\n"
    assert classes_of_more_methods(source, 3) == []
    assert classes_of_more_methods(source, 2) == ["A has 3 methods"]


def classes_of_one_name(sources: dict[str, str]) -> dict[str, list[str]]:
    """The names that more than one class has, with the files."""
    found: dict[str, list[str]] = {}
    for file, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(file)
    return {name: files for name, files in found.items() if len(files) > 1}


def test_a_class_name_has_one_meaning() -> None:
    # The gateway's is a title in its OpenAPI document, which clients may have generated code from.
    assert classes_of_one_name(FILES) == {"Verdict": ["core/job.py", "gateway/kimina.py"]}


def names_in_sentences(source: str) -> list[str]:
    """The docstrings, of attributes too, that begin with the bare name of a class where a noun belongs."""
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    return [
        text for text in strings if isinstance(text, str) and re.match(r"([A-Z][a-z]+){2,} (that|which|whose)\b", text)
    ]


def test_no_rename_of_a_class_has_gone_into_a_sentence() -> None:
    found = {name: texts for name, source in FILES.items() if (texts := names_in_sentences(source))}
    assert found == {}
    assert names_in_sentences('A = 1\n"""AttemptMaker that was read."""\n"""`Attempt` that."""\n') == [
        "AttemptMaker that was read."
    ]


def carriers_named_record(source: str) -> set[str]:
    """The types of the parameters that are called `record`."""
    return {
        ast.unparse(each.annotation)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for each in (*node.args.args, *node.args.kwonlyargs)
        if each.arg == "record" and each.annotation is not None
    }


def test_a_record_is_what_the_consumer_has_made() -> None:
    types = {each for source in FILES.values() for each in carriers_named_record(source)}
    # The handlers of `logging` name theirs so.
    assert types == {"Record", "logging.LogRecord"}, "record_id, outgoing, kafka_record"


def rooms_of_more_modules(files: Iterable[str], most: int) -> set[str]:
    """Return the packages with more modules and packages of their own than that, by their dotted names."""
    modules = [PurePosixPath(name).parent if name.endswith("/__init__.py") else PurePosixPath(name) for name in files]
    counts = Counter(module.parent for module in modules if module.name != "__init__.py")
    return {".".join((PACKAGE.name, *room.parts)) for room, count in counts.items() if count > most}


def rooms_with_a_contract(text: str) -> set[str]:
    """Return the packages whose every module must find its floor: those of exhaustive contracts on layers."""
    parser = ConfigParser()
    parser.read_string(text)
    contracts = [parser[name] for name in parser.sections() if parser[name].get("type") == "layers"]
    exhaustive = [contract for contract in contracts if contract.getboolean("exhaustive", fallback=False)]
    return {room for contract in exhaustive for room in contract.get("containers", "").split()}


def test_every_room_of_more_than_three_modules_has_a_contract() -> None:
    without = rooms_of_more_modules(FILES, MAX_WITHOUT_CONTRACT) - rooms_with_a_contract(
        (ROOT / ".importlinter").read_text()
    )
    assert without == set(), "say in .importlinter which of its modules is above which"


def test_modules_and_rooms_inside_a_room_are_counted_and_the_room_itself_is_not() -> None:
    files = ["__init__.py", "a/__init__.py", "a/b.py", "a/c/__init__.py", "a/c/d.py"]
    assert rooms_of_more_modules(files, 0) == {PACKAGE.name, f"{PACKAGE.name}.a", f"{PACKAGE.name}.a.c"}
    assert rooms_of_more_modules(files, 1) == {f"{PACKAGE.name}.a"}


def test_a_contract_that_is_not_exhaustive_does_not_count() -> None:
    contract = "[importlinter:contract:a]\ntype = layers\ncontainers = a.b\nlayers =\n    c\n    d\n"
    assert rooms_with_a_contract(contract) == set()
    assert rooms_with_a_contract(contract + "exhaustive = True\n") == {"a.b"}
