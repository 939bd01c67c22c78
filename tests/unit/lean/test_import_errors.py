"""A failed import: whose fault it is, how long it is remembered, and where in the file Lean's message belongs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from streamverify.core.messages.models import Reason
from streamverify.core.syntax.header import parse_header
from streamverify.core.syntax.names import parts
from streamverify.lean.import_errors import (
    FAILED_HEADER_TTL,
    MAX_FAILED_HEADERS,
    FailedHeaders,
    FailedImport,
    ImportClassifier,
    import_position,
)
from streamverify.lean.repl.command import ReplCommand

if TYPE_CHECKING:
    from pathlib import Path

PREFIX_2026 = "unknown module prefix '{}'\n\nNo directory '{}' or file '{}.olean' in the search path entries:\n/lib"
PACKAGE_2021 = "unknown package '{}'\nYou might need to open '/' as a workspace in your editor"
OBJECT = "object file '/lib/x.olean' of module {} does not exist"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".lake/packages/mathlib/Mathlib").mkdir(parents=True)
    (folder / ".lake/packages/mathlib/Archive").mkdir()
    (folder / ".lake/packages/mathlib/Mathlib/Unbuilt.lean").touch()
    (folder / "Own").mkdir()
    (folder / "Own/Unbuilt.lean").touch()
    manifest = {"name": "own", "packages": [{"name": "mathlib"}, {"name": "LeanSearchClient"}]}
    (folder / "lake-manifest.json").write_text(json.dumps(manifest))
    return folder


def modules(project: Path | None, **environment: str) -> ImportClassifier:
    return ImportClassifier(ReplCommand(("repl",), environment, project, "lean", wrapped=False))


def reason(known: ImportClassifier, header: str, *texts: str) -> Reason:
    return known.classify(parse_header(header), texts).reason


@pytest.mark.parametrize("wording", [PREFIX_2026, PACKAGE_2021])
def test_a_package_that_is_not_in_the_manifest_is_the_proofs_fault(project: Path, wording: str) -> None:
    known = modules(project)
    assert reason(known, "import Does.Not.Exist", wording.format("Does", "Does", "Does")) is Reason.HEADER_ERROR
    for root in ("Mathlib", "LeanSearchClient", "Own", "Lean", "Std", "Archive"):
        text = wording.format(root, root, root)
        assert reason(known, f"import {root}.X", text) is Reason.IMPORT_FAILED, root


def test_a_missing_module_is_the_proofs_fault_once_the_root_was_imported(project: Path) -> None:
    known = modules(project)
    text = OBJECT.format("Mathlib.Nope")
    known.note_imported(parse_header("import Mathlib.Tactic"))
    assert reason(known, "import Mathlib.Nope", text) is Reason.IMPORT_FAILED
    known.note_imported(parse_header("import Lean\nimport Mathlib"))
    assert reason(known, "import Mathlib.Nope", text) is Reason.HEADER_ERROR
    assert reason(known, "import Lean.Nope", OBJECT.format("Lean.Nope")) is Reason.HEADER_ERROR
    assert reason(known, "import Init.Nope", OBJECT.format("Init.Nope")) is Reason.HEADER_ERROR


def test_a_module_whose_source_is_there_was_not_built(project: Path) -> None:
    known = modules(project)
    known.note_imported(parse_header("import Mathlib\nimport Own"))
    for name in ("Mathlib.Unbuilt", "Own.Unbuilt"):
        assert reason(known, f"import {name}", OBJECT.format(name)) is Reason.IMPORT_FAILED


def test_sources_are_looked_for_where_lake_says(tmp_path: Path) -> None:
    (tmp_path / "src/Mathlib").mkdir(parents=True)
    (tmp_path / "src/Mathlib/Unbuilt.lean").touch()
    known = modules(None, LEAN_SRC_PATH=os.pathsep.join(["/nowhere", str(tmp_path / "src")]))
    known.note_imported(parse_header("import Mathlib"))
    assert reason(known, "import Mathlib.Unbuilt", OBJECT.format("Mathlib.Unbuilt")) is Reason.IMPORT_FAILED
    assert reason(known, "import Mathlib.Nope", OBJECT.format("Mathlib.Nope")) is Reason.HEADER_ERROR


@pytest.mark.parametrize(
    "manifest", [None, "", "{}", "[]", '{"packages": 3}', '{"packages": [{}]}', '{"packages": [1]}']
)
def test_without_a_manifest_nobody_knows(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "lake-manifest.json").write_text(manifest)
    assert reason(modules(tmp_path), "import Nope", PREFIX_2026.format(*["Nope"] * 3)) is Reason.IMPORT_FAILED
    assert reason(modules(None), "import Nope", PREFIX_2026.format(*["Nope"] * 3)) is Reason.IMPORT_FAILED


@pytest.mark.parametrize(
    "text",
    [
        OBJECT.format("Somebody.Elses"),
        PREFIX_2026.format(*["Other"] * 3),
        "failed to read file '/lib/Does.olean', incompatible header",
        "import Does failed, environment already contains 'x' from Lean",
    ],
)
def test_what_names_no_import_of_the_header_is_not_the_proofs_fault(project: Path, text: str) -> None:
    assert reason(modules(project), "import Does.Not.Exist", text) is Reason.IMPORT_FAILED


def test_one_honest_import_among_the_missing_is_enough(project: Path) -> None:
    texts = (PREFIX_2026.format(*["Does"] * 3), OBJECT.format("Mathlib.Unbuilt"))
    assert reason(modules(project), "import Does\nimport Mathlib.Unbuilt", *texts) is Reason.IMPORT_FAILED


def test_quoted_names(project: Path) -> None:
    assert parts("«a b».C.«d.e»") == ("a b", "C", "d.e")
    text = PREFIX_2026.format(*["weird name"] * 3)
    assert reason(modules(project), "import «weird name».X", text) is Reason.HEADER_ERROR
    outside = PREFIX_2026.format(*["../../etc"] * 3)
    assert reason(modules(project), "import «../../etc».passwd", outside) is Reason.HEADER_ERROR


def test_where_lean_says_nothing_the_files_do(project: Path) -> None:
    build = project / "build"
    (build / "Mathlib").mkdir(parents=True)
    (build / "Mathlib.olean").touch()
    known = modules(project, LEAN_PATH="build", LEAN_SYSROOT="/nonexistent")
    failed = known.classify(parse_header("import Mathlib\nimport Does.Not"), ())
    assert failed == FailedImport(Reason.HEADER_ERROR, ("module Does.Not was not found in the search path",))
    nothing_missing = known.classify(parse_header("import Mathlib"), ())
    assert nothing_missing.reason is Reason.IMPORT_FAILED
    assert "keeps Lean's reason to itself" in nothing_missing.texts[0]
    assert modules(None).classify(parse_header("import X"), ()).reason is Reason.IMPORT_FAILED


def remembered(**changes: Any) -> FailedImport:
    return FailedImport(**{"reason": Reason.HEADER_ERROR, "texts": ("x",)} | changes)


def test_a_failed_header_is_remembered_for_a_while() -> None:
    failed = FailedHeaders()
    failed.add("a", remembered(), 100.0)
    assert failed.get("b", 100.0) is None
    assert failed.get("a", 100.0 + FAILED_HEADER_TTL - 0.1) == remembered()
    assert failed.get("a", 100.0 + FAILED_HEADER_TTL) is None
    assert failed.get("a", 100.0) is None


def test_the_oldest_failed_header_makes_room() -> None:
    failed = FailedHeaders()
    for number in range(MAX_FAILED_HEADERS):
        failed.add(str(number), remembered(), 0.0)
    failed.add("0", remembered(), 0.0)
    failed.add("new", remembered(), 0.0)
    assert failed.get("1", 0.0) is None
    assert failed.get("0", 0.0) is not None
    assert failed.get("new", 0.0) is not None


HEADER = "import Lean\n\n  import Does.Not import «weird name».X\nimport Does.Not.Exist\nimport Foo\n"


@pytest.mark.parametrize(
    ("message", "line", "column"),
    [
        ("unknown package 'Does'\nYou might need to open '/srv/Lean' as a workspace in your editor", 3, 2),
        (
            "unknown module prefix 'Does'\n\nNo directory 'Does' or file 'Does.olean' in the path:\n/x/lib/Lean",
            3,
            2,
        ),
        ("object file '/lib/Does/Not.olean' of module Does.Not does not exist", 3, 2),
        ("object file '/lib/Lean/Does/Not/Exist.olean' of module Does.Not.Exist does not exist", 4, 0),
        ("bad import 'Does.Not.Exist'", 4, 0),
        ("unknown package 'Does' (Lean has no such package)", 3, 2),
        ("bad import 'Foo'", 5, 0),
        ("import Foo failed, environment already contains 'x' from Does.Not", 5, 0),
        ("failed to read file '/lib/Does/Not/Exist.olean', invalid header", 4, 0),
        ("no such file or directory (error code: 2)\n  file: ./././Does/Not.lean", 3, 2),
        ("object file '/lib/Foo/Part.olean' of module Foo.Part does not exist", 5, 0),
        ("unknown module prefix '«weird name»'", 3, 18),
        ("unknown module prefix 'weird name'", 3, 18),
        ("unknown module prefix '«weird name».X'", 3, 18),
        ("out of memory", 1, 0),
        ("", 1, 0),
    ],
)
def test_a_message_about_an_import_is_placed_at_it(message: str, line: int, column: int) -> None:
    assert import_position(parse_header(HEADER), message) == {"line": line, "column": column}


def test_a_message_without_an_import_to_blame() -> None:
    assert import_position(parse_header("module\n"), "cannot import") == {"line": 1, "column": 0}
    assert import_position(parse_header("\n\nimport A"), "odd") == {"line": 3, "column": 0}
