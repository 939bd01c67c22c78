"""Wording and places of Lean's answers that the driver reads: asked of Lean 4.35, and read by the driver's own code."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from oracle.headers import write_modules
from oracle.lean435 import Leans

from streamverify.core.audit.axioms import answers, audit_of, read_axioms, read_type, root
from streamverify.core.audit.checked import verdict_on_response
from streamverify.core.audit.statement import ask_for_kinds, look_up, print_in_full
from streamverify.core.messages.models import Message, Position, Reason, Response
from streamverify.core.syntax.header import parse_header
from streamverify.lean.import_errors import ImportClassifier, import_position
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.protocol import encode_check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oracle.lean435 import Run

BOOL = "prelude\ninductive Bool : Type where\n| false : Bool\n| true : Bool\ninductive T : Prop where\n| mk : T\n"
SORRY = f"{BOOL}axiom sorryAx.{{u}} (α : Sort u) (synthetic : Bool) : α\n"
LONG = [f"an_axiom_with_a_long_name_number_{number}" for number in range(5)]
THEOREMS = (
    BOOL
    + "".join(f"axiom {name} : T\n" for name in LONG)
    + "axiom «a, b» : T\naxiom and.{u, v} (α : Sort u) (β : Sort v) (a b c d e f g : T) : T\n"
    + f"theorem many : T := and T T {' '.join(LONG)} «a, b» T.mk\n"
    + "theorem «it's» : T := T.mk\nnamespace A.«b c»\nprotected theorem x' : T := many\nend A.«b c»\n"
    + "def two (x : Bool) : Bool := x\n"
)
NAMES = ["many", "«it's»", "A.«b c».x'"]


def messages_of(run: Run) -> list[Message]:
    """As the REPL passes them on; it says `info` where `lean --json` says `information`."""
    return [
        Message(
            severity="info" if each["severity"] == "information" else each["severity"],
            pos=each["pos"],
            endPos=each["endPos"],
            data=each["data"],
        )
        for each in run.messages
    ]


def said(leans: Leans, text: str, question: str) -> list[Message]:
    """The answer to a question after this file, lines counted from the question's first."""
    before = text.count("\n")
    messages = messages_of(leans.run(text + question, "--json", "-DmaxErrors=1000000"))
    for message in messages:
        message["pos"]["line"] -= before
    return [each for each in messages if each["pos"]["line"] > 0]


def known_options(leans: Leans, text: str, options: dict[str, str]) -> set[str]:
    """Those that Lean knows; it must take their values, too."""
    question = "".join(f"set_option {name} {value}\n" for name, value in options.items())
    unknown = set()
    for message in said(leans, text, question):
        match = re.fullmatch("Unknown option `(.+)`", message["data"])
        assert match, message
        unknown.add(match[1])
    return options.keys() - unknown


def test_an_error_has_these_keys_and_severities(leans: Leans) -> None:
    run = leans.run(f'{SORRY}#check nothing\n#print "a"\ntheorem s : T := sorryAx T Bool.false\n', "--json")
    assert [each["severity"] for each in run.messages] == ["error", "information", "warning"]
    assert all({"severity", "pos", "endPos", "data", "fileName"} <= each.keys() for each in run.messages)
    assert run.messages[1] == run.messages[1] | {"data": "a", "pos": {"line": 9, "column": 0}}


def test_the_channel_check_is_answered_with_its_word_alone(leans: Leans) -> None:
    command = json.loads(encode_check("0123456789abcdef", 0))["cmd"]
    [message] = said(leans, BOOL, f"{command}\n")
    assert (message["severity"], message["data"].strip()) == ("info", "0123456789abcdef")


@pytest.mark.parametrize(
    "left", ["", "namespace A\n", "namespace A.«b c»\n", "section\nvariable (many : T)\n", "universe u_1\n"]
)
def test_axioms_and_types_are_read(left: str, leans: Leans) -> None:
    options = known_options(leans, BOOL, _options_of(audit_of([], _Everything()).text))
    audit = audit_of(NAMES, options)
    found = audit.theorems(said(leans, THEOREMS + left, f"{audit.text}\n"))
    assert [(each.name, each.type) for each in found] == [(name, "T") for name in NAMES]
    all_axioms = sorted(["and", "«a, b»", *LONG])
    assert [sorted(each.axioms) for each in found] == [all_axioms, [], all_axioms]


def _options_of(text: str) -> dict[str, str]:
    """The options that a question sets, with their values."""
    words = (line.split(" ", 2) for line in text.splitlines())
    return {name: value for _, name, value in words}


class _Everything(set[str]):
    """Knows every option."""

    def __contains__(self, name: object) -> bool:
        return True


def test_lean_knows_the_options_of_a_comparison_and_takes_their_values(leans: Leans) -> None:
    # The others are spelled as in another year, or are a library's.
    known = known_options(leans, BOOL, _options_of(print_in_full({}, _Everything()).text))
    assert {
        "pp.all",
        "pp.explicit",
        "pp.universes",
        "pp.fullNames",
        "pp.privateNames",
        "pp.proofs",
        "pp.maxSteps",
    } <= known
    assert {"pp.notation", "pp.match", "pp.natLit", "pp.funBinderTypes", "pp.letVarTypes", "pp.maxSteps"} <= known


def test_axioms_of_a_private_theorem_are_answered_about_its_private_name(leans: Leans) -> None:
    [axioms, checked] = said(
        leans, f"{BOOL}private theorem foo : T := T.mk\n", f"#print axioms {root('foo')}\n#check @{root('foo')}\n"
    )
    assert axioms["data"] == "'_private.File0.0.foo' does not depend on any axioms"
    assert read_type([checked["data"]]) == "T"


def test_in_a_module_what_is_not_public_is_answered_about_its_private_name(leans: Leans) -> None:
    module = f"module\n{BOOL}axiom c : T\ntheorem A.foo : T := c\n"
    module += "public inductive U : Prop where | mk : U\npublic theorem bar : U := U.mk\n"
    question = "".join(f"#print axioms {root(name)}\n#check @{root(name)}\n" for name in ("A.foo", "bar"))
    assert [each["data"] for each in said(leans, module, question)] == [
        "'_private.File0.0.A.foo' depends on axioms: [c]",
        "A.foo : T",
        "'bar' does not depend on any axioms",
        "bar : U",
    ]


def test_axioms_of_another_theorem_do_not_count(leans: Leans) -> None:
    [message] = said(leans, THEOREMS, "#print axioms many\n")
    assert read_axioms("many", [message["data"]])
    assert read_axioms("A.many", [message["data"]]) is None


def test_an_unknown_theorem_is_no_answer(leans: Leans) -> None:
    messages = said(leans, BOOL, f"#print axioms {root('no')}\n#check @{root('no')}\n")
    assert {each["severity"] for each in messages} == {"error"}
    assert answers(messages, 1) == answers(messages, 2) == []


@pytest.mark.parametrize(
    ("declaration", "type_"),
    [
        ("axiom f : T", "T"),
        ("axiom f.{u, v} (α : Sort u) (β : Sort v) : α → β", "(α : Sort u_1) → (β : Sort u_2) → α → β"),
        ("axiom f : ∀ (x : T), T", "T → T"),
        ("def f (x : Bool) : Bool := x", "Bool → Bool"),
    ],
)
def test_a_type_is_read(declaration: str, type_: str, leans: Leans) -> None:
    [message] = said(leans, f"{BOOL}{declaration}\n", f"#check @{root('f')}\n")
    assert read_type([message["data"]]) == type_


def test_a_long_type_is_read_over_its_lines(leans: Leans) -> None:
    parameters = " ".join(f"(a_parameter_{number} : Sort {number + 1})" for number in range(8))
    [message] = said(leans, f"{BOOL}axiom f {parameters} : T\n", f"#check @{root('f')}\n")
    found = read_type([message["data"]])
    assert found is not None
    assert "\n" in found
    assert found.endswith("T")


def test_constants_are_printed_whole_and_theorems_without_their_proof(leans: Leans) -> None:
    file = f"{BOOL}def two (x : Bool) : Bool := x\ntheorem t : T := T.mk\nprivate theorem p : T := T.mk\n"
    options = known_options(leans, BOOL, _options_of(print_in_full({}, _Everything()).text))
    question = ask_for_kinds(["two", "t", "p", "Bool", "nothing"], options)
    kinds = question.found(said(leans, file, f"{question.text}\n"))
    assert kinds == {"two": "def", "t": "theorem", "p": "theorem", "Bool": "inductive"}
    printing = print_in_full(kinds, options)
    printed = printing.printed(said(leans, file, f"{printing.text}\n"))
    assert sorted(printed) == ["Bool", "t", "two"]
    assert printed["two"].value
    assert "T.mk" not in printed["t"].said
    assert printed["Bool"].mentions >= {"Bool.rec"}


def test_a_lookup_knows_what_is_there(leans: Leans) -> None:
    lookup = look_up(["many", "A.many", "Bool", "nothing", "A.«b c».x'"], set())
    assert lookup.known(said(leans, THEOREMS, f"{lookup.text}\n")) == {"many", "Bool", "A.«b c».x'"}


def test_a_sorry_is_seen_by_its_warning(leans: Leans) -> None:
    messages = messages_of(leans.run(f"{SORRY}theorem s : T := sorryAx T Bool.false\n", "--json"))
    verdict = verdict_on_response(Response(messages=messages))
    assert (verdict.reason, verdict.summary) == (Reason.SORRY, "The declaration at line 8, column 8 uses sorry.")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("#check x", 7, 7),
        ("#check /- 𝔸𝔸𝔸 -/ x", 7, 17),
        ("#check /- é -/ x", 7, 15),
        ("-- a\r\n#check x", 8, 7),
        ("-- \u2028 \u0085 \f\n#check x", 8, 7),
        ("/- a\n\n-/ #check x", 9, 10),
    ],
)
def test_lines_end_with_a_line_feed_and_columns_are_code_points(
    text: str, line: int, column: int, leans: Leans
) -> None:
    [message] = messages_of(leans.run(f"{BOOL}{text}\n", "--json"))
    assert message["severity"] == "error"
    assert message["pos"] == {"line": line, "column": column}


@pytest.fixture(scope="module")
def importing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leans]:
    folder = tmp_path_factory.mktemp("modules")
    write_modules(folder)
    with Leans(folder) as started:
        yield started


def _failed(importing: Leans, header: str, project: Path) -> tuple[Reason, list[str], Position]:
    found = parse_header(header)
    errors = [each for each in messages_of(importing.run(header, "--json")) if each["severity"] == "error"]
    modules = ImportClassifier(
        ReplCommand(("lean",), {"LEAN_PATH": str(importing.folder)}, project, "lean", wrapped=False)
    )
    modules.note_imported(parse_header("import A\n"))
    texts = [each["data"] for each in errors]
    return modules.classify(found, texts).reason, texts, import_position(found, texts[0])


@pytest.mark.parametrize(
    ("header", "reason", "line"),
    [
        # No package of the project's has modules of this name: the proof asks for what there is not.
        ("import A\nimport Missing\n", Reason.HEADER_ERROR, 2),
        ("import Missing.Part\n", Reason.HEADER_ERROR, 1),
        ("import A\nimport «x y»\n", Reason.HEADER_ERROR, 2),
        ("import A\n\nimport A.Gone\n", Reason.HEADER_ERROR, 3),
        ("import A\nimport A.«go ne»\n", Reason.HEADER_ERROR, 2),
        # A package that is there and was never imported may be half built.
        ("import B.Gone\n", Reason.IMPORT_FAILED, 1),
        ("import Broken\n", Reason.IMPORT_FAILED, 1),
    ],
)
def test_a_failed_import_is_told_apart(
    header: str, reason: Reason, line: int, importing: Leans, tmp_path: Path
) -> None:
    (tmp_path / "lake-manifest.json").write_text('{"packages": [], "name": "own"}')
    (importing.folder / "Broken.olean").write_bytes(b"no olean")
    found, texts, at = _failed(importing, header, tmp_path)
    assert found == reason, texts
    assert at == {"line": line, "column": 0}, texts


def test_a_module_whose_own_import_is_gone_is_no_fault_of_the_proof(importing: Leans, tmp_path: Path) -> None:
    (tmp_path / "lake-manifest.json").write_text('{"packages": [], "name": "own"}')
    folder = importing.folder
    for name, text in (("Inner", "prelude\n"), ("Outer", "prelude\nimport Inner\n")):
        (folder / f"{name}.lean").write_text(text)
        assert importing.run(text, "-o", f"{name}.olean").status == 0
    (folder / "Inner.olean").unlink()
    reason, texts, _ = _failed(importing, "import Outer\n", tmp_path)
    assert reason == Reason.IMPORT_FAILED, texts
