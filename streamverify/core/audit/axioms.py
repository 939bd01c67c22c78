"""The questions to Lean about the theorems of a file that it accepted, and the meaning of its answers. Pure.

One command for all theorems, one line each: what a file left open or set must not show in the answers, so names are
asked for and printed in full, and every option that bears on it is set by name. The result lasts for the command
alone: its environment is used by nobody.

Before a positive is believed, one more command goes to the environment of the header (`Challenge`): the process must
still be one that proves, and the names must be new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.audit.checked import ACCEPTED
from streamverify.core.audit.printed_tokens import PRINTED_NAME
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Reason, Theorem, errors_in
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from streamverify.core.audit.declarations import Declared
    from streamverify.core.messages.models import Message

ALLOWED_AXIOMS = frozenset({"propext", "Classical.choice", "Quot.sound"})
"""By exact name: what Mathlib is built on. Compiled evaluation (`Lean.ofReduceBool`, …) is not among them."""

_LIMITS = {"maxHeartbeats": "0", "maxRecDepth": "2000"}
"""The audit has a time-out of its own; a file may have left limits that stop it at once."""

_PLAIN = {
    "pp.fullNames": "true",
    "pp.full_names": "true",
    "pp.all": "false",
    "pp.raw": "false",
    "pp.oneline": "false",
}
"""Options for axioms and for the type as people read it; of two spellings each is of another generation of Lean."""

EXPLICIT = {
    "pp.all": "true",
    "pp.raw": "false",
    "pp.oneline": "false",
    "pp.explicit": "true",
    "pp.fullNames": "true",
    "pp.full_names": "true",
    "pp.privateNames": "true",
    "pp.private_names": "true",
    "pp.universes": "true",
    "pp.notation": "false",
    "pp.mathlib.binderPredicates": "false",
    "pp.coercions": "false",
    "pp.coercions.types": "true",
    "pp.match": "false",
    "pp.natLit": "true",
    "pp.numericTypes": "false",
    "pp.proofs": "true",
    "pp.proofs.withType": "true",
    "pp.instances": "true",
    "pp.instanceTypes": "true",
    "pp.instantiateMVars": "true",
    "pp.beta": "false",
    "pp.funBinderTypes": "true",
    "pp.piBinderTypes": "true",
    "pp.piBinderNames": "true",
    "pp.binderTypes": "true",
    "pp.binder_types": "true",
    "pp.letVarTypes": "true",
    "pp.structureInstances": "false",
    "pp.structure_instances": "false",
    "pp.structureInstanceTypes": "true",
    "pp.structure_instance_type": "true",
    "pp.structureProjections": "false",
    "pp.structure_projections": "false",
    "pp.fieldNotation": "false",
    "pp.fieldNotation.generalized": "false",
    "pp.anonymousConstructorNotation": "false",
    "pp.motive.pi": "true",
    "pp.motive.nonDep": "true",
    "pp.motive.dep": "true",
    "pp.motive.all": "true",
    "pp.analyze": "false",
    "pp.sanitizeNames": "true",
    "pp.safeShadowing": "true",
    "pp.safe_shadowing": "true",
    "pp.parens": "false",
    "pp.unicode": "true",
    "pp.unicode.fun": "false",
    "pp.exprSizes": "false",
    "pp.tagAppFns": "false",
    "pp.mvars": "true",
    "pp.mvars.levels": "true",
    "pp.deepTerms": "true",
    "pp.deepTerms.threshold": "1000000",
    "pp.maxSteps": "100000000",
    "pp.rawOnError": "false",
    "format.width": "120",
    "format.indent": "2",
    "format.unicode": "true",
}
"""Options under which two types are printed alike only if they are the same: nothing folded, hidden or cut.

`pp.all` alone would give way to every option that a file sets by name.
"""

KIND_ONLY = {
    "pp.all": "false",
    "pp.proofs": "false",
    "pp.deepTerms": "false",
    "pp.deepTerms.threshold": "1",
    "pp.maxSteps": "1",
}
"""Options under which `#print` says what kind of constant a name has and prints next to nothing of its value.

The proof of a theorem may be long, and printing it would take longer than checking it.
"""

_PRINTED = re.compile(
    r"(?P<before>(?:@\[[^\]]*\]\s*)?(?:(?:private|protected|noncomputable|unsafe|partial|meta|public)\s+)*)"
    r"(?P<kind>theorem|def|instance|abbrev|opaque|constant|axiom|inductive|structure|class|constructor|recursor)\s+"
    rf"(?P<name>{PRINTED_NAME})(?P<rest>.*)",
    re.DOTALL,
)
"""An answer to `#print`. Lean may leave out of the name what makes it private: the other answers tell whose it is."""

MODULE_PROBE = "streamverify_probe"
"""A theorem that is declared to learn how the audit works in a file that begins with `module`."""

_AXIOMS = re.compile(
    r"['`](?P<name>.+)['`] (?:does not depend on any axioms|depends on axioms:\s*\[(?P<axioms>.*)\])\s*", re.DOTALL
)
# A quoted name may have commas and brackets in it.
_LISTED = re.compile(r"(?:«[^»]*+»|[^,«]++)++")


class Questions:
    """Lines of one command, and which line asks what."""

    def __init__(self, options: Mapping[str, str], known: Collection[str]) -> None:
        """Set those of `options` that Lean knows: an unknown one would be an error."""
        self._known = known
        self._lines: list[str] = []
        self.set({**_LIMITS, **options})

    @property
    def text(self) -> str:
        """The command that asks all of them."""
        return "\n".join(self._lines)

    def set(self, options: Mapping[str, str]) -> None:
        """Set these options for the questions that follow."""
        self._lines += [f"set_option {name} {value}" for name, value in options.items() if name in self._known]

    def ask(self, question: str) -> int:
        """Add a question of one line, and return the number of the line."""
        self._lines.append(question)
        return len(self._lines)


def answers(messages: Iterable[Message], line: int) -> list[str]:
    """Return Lean's answers to the question of a line, errors and warnings aside."""
    return [each["data"] for each in messages if each["severity"] == "info" and each["pos"]["line"] == line]


def root(name: str) -> str:
    """Return a full name such that no namespace that a file left open gets in its way."""
    return f"_root_.{name}"


def is_about(printed: str, name: str, private_prefix: str = "") -> bool:
    """Tell whether a name that Lean printed is this full name, or the one that is private to this file.

    Names are compared by their parts, because versions of Lean differ in what they quote.
    """
    return parts(printed) in {parts(name), parts(private_prefix + name)}


def read_axioms(name: str, said: Iterable[str], private_prefix: str = "") -> frozenset[str] | None:
    """Return the axioms of the theorem with this full name; None where Lean did not say.

    Lean shortens names by what is open, and a name may stand for several theorems: messages about others do not count.

    Args:
        name: The full name.
        said: Lean's answers.
        private_prefix: What Lean puts before a name that is private to this file, where it can be asked for; an answer
            about a name that is private to another module does not count.
    """
    found: set[str] | None = None
    for text in said:
        match = _AXIOMS.fullmatch(text)
        if match and is_about(match["name"], name, private_prefix):
            # Where Lean says it twice, what either says counts.
            found = (found or set()) | {each.strip() for each in _LISTED.findall(match["axioms"] or "")}
    return None if found is None else frozenset(found)


class PrintedConstant(NamedTuple):
    """An answer to `#print`: attributes and modifiers, kind, name as it was printed, and what follows."""

    before: str
    kind: str
    name: str
    rest: str


def read_print(name: str, said: Sequence[str], private_prefix: str = "") -> PrintedConstant | None:
    """Return Lean's answer to `#print` of this full name; None where it is not one answer about this name.

    The arguments are those of `read_axioms`.
    """
    match = _PRINTED.fullmatch(said[0]) if len(said) == 1 else None
    if match is None or not is_about(match["name"], name, private_prefix):
        return None
    return PrintedConstant(" ".join(match["before"].split()), match["kind"], match["name"], match["rest"])


def read_type(said: Sequence[str]) -> str | None:
    """Return the type in the answer to `#check`: the text after `name :`, or `@name.{u} :`."""
    for text in said:
        before, colon, after = text.partition(" :")
        # ` :` may also stand in a quoted name, or begin `:=`.
        if colon and not before.endswith("«") and after[:1] in {" ", "\n"}:
            return after.strip()
    return None


@dataclass(frozen=True, slots=True)
class AxiomsAudit:
    """The questions about the theorems of one file: the lines that ask for axioms, and for the kind.

    The line after the one for axioms asks for the type.
    """

    text: str
    lines: Mapping[str, tuple[int, int]]
    private_prefix: str

    def theorems(self, messages: Sequence[Message]) -> list[Theorem]:
        """Return those of which Lean says that they are theorems."""
        found = []
        for name, (line, kind_line) in self.lines.items():
            axioms = read_axioms(name, answers(messages, line), self.private_prefix)
            printed = read_print(name, answers(messages, kind_line), self.private_prefix)
            if axioms is not None and printed is not None and printed.kind == "theorem":
                found.append(Theorem(name=name, type=read_type(answers(messages, line + 1)), axioms=sorted(axioms)))
        return found


def verdict_on_theorems(theorems: Sequence[Theorem], wanted: Iterable[str]) -> Verdict:
    """Return `ok`, or the objection to the first theorem that falls short; `wanted` names those that must be there."""
    # An axiom first: it says more about the file than that a theorem is missing.
    for theorem in theorems:
        strange = [axiom for axiom in theorem.axioms if axiom not in ALLOWED_AXIOMS]
        if strange:
            sentence = f"The proof of {theorem.name} depends on {', '.join(strange)[:200]}."
            return Verdict(Reason.AXIOM, sentence, theorems=theorems)
    known = {theorem.name for theorem in theorems}
    for name in wanted:
        if name not in known:
            return Verdict(Reason.NO_THEOREM, f"Lean knows no theorem {name} after the file.", theorems=theorems)
    audited = f"its {len(known)} theorems" if len(known) > 1 else f"the theorem {' '.join(known)[:200]}"
    return Verdict(Reason.OK, f"{ACCEPTED}, and the audit found nothing against {audited}.", theorems=theorems)


def audit_of(names: Iterable[str], known_options: Collection[str], private_prefix: str = "") -> AxiomsAudit:
    """Return the questions for axioms, type and kind of each theorem, by full name; arguments as in `read_axioms`."""
    questions = Questions(_PLAIN, known_options)
    wanted = list(dict.fromkeys(names))
    # All kinds after all axioms: the options of the ones would spoil the answers to the others.
    axioms = []
    for name in wanted:
        axioms.append(questions.ask(f"#print axioms {root(name)}"))
        questions.ask(f"#check @{root(name)}")
    questions.set(KIND_ONLY)
    kinds = [questions.ask(f"#print {root(name)}") for name in wanted]
    return AxiomsAudit(questions.text, dict(zip(wanted, zip(axioms, kinds, strict=True), strict=True)), private_prefix)


def ask_for_private_prefix() -> str:
    """Return the command that asks, in the environment of a header, how the names of a file are private there."""
    return f"theorem {MODULE_PROBE} : True := True.intro\n#print axioms {root(MODULE_PROBE)}"


def read_private_prefix(messages: Iterable[Message]) -> str | None:
    """Return Lean's prefix of names that are private to the file, such as `_private.0.`; "" where it has none.

    None where Lean does not tell the axioms of a theorem: some versions do not in a file that begins with `module`.
    """
    for each in messages:
        # The probe depends on no axioms, so an answer that names some is about something else.
        match = _AXIOMS.fullmatch(each["data"]) if each["severity"] == "info" else None
        if match and not match["axioms"] and match["name"].endswith(MODULE_PROBE):
            prefix = match["name"].removesuffix(MODULE_PROBE)
            if not prefix or prefix.startswith("_private."):
                return prefix
    return None


class Sum(NamedTuple):
    """A true statement of arithmetic, and a wrong result beside it."""

    left: int
    right: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question that only a process which still proves can answer; in the header's environment, before a positive.

    A word, a true and a false statement that nobody can know before they are asked, and the audited names, which the
    header must not know. It is a hurdle for who answers in Lean's place, and proves nothing.
    """

    nonce: str
    sum: Sum
    names: Sequence[str]
    false_first: bool

    @property
    def text(self) -> str:
        """The command: a line for the word, two for the statements, one for each name."""
        left, right, wrong = self.sum
        # Lean adds and compares such numbers at once, and `decide` fails faster than `rfl` (measured). Full names,
        # because a library may have its own `+`.
        results = (wrong, left + right) if self.false_first else (left + right, wrong)
        statements = [f"example : @Eq Nat (Nat.add {left} {right}) {result} := by decide" for result in results]
        return "\n".join([f'#print "{self.nonce}"', *statements, *(f"#check @{root(name)}" for name in self.names)])

    def is_met(self, messages: Sequence[Message]) -> bool:
        """Return whether a process that proves gave these answers: the word, and an error for the false one alone."""
        false_line = 2 if self.false_first else 3
        # Exactly these: a process that answers in Lean's place with more, or with a warning, does not pass either.
        about = [each for each in messages if each["pos"]["line"] <= 3]  # noqa: PLR2004 -- the lines of `text`
        said = {(each["pos"]["line"], each["severity"]): each["data"].strip() for each in about}
        expected = {(1, "info"), (false_line, "error")}
        return len(about) == len(expected) == len(expected & said.keys()) and said[1, "info"] == self.nonce

    def not_new(self, messages: Sequence[Message]) -> str | None:
        """Return the first of the names that the header knows by itself, or of which Lean says nothing."""
        lines = {name: line for line, name in enumerate(self.names, 4)}
        unknown = {each["pos"]["line"] for each in errors_in(messages)}
        return next((name for name, line in lines.items() if line not in unknown or answers(messages, line)), None)


def theorems_to_audit(declared: Sequence[Declared], wanted: str | None) -> tuple[list[str], str | None]:
    """Return the full names to ask for, or the reason why there are none.

    Args:
        declared: The theorems that the file declares.
        wanted: The one that the request names; default: all that are not private, whose axioms show in those of the
            theorems that use them.
    """
    # Lean itself is asked later whether each is a theorem: a word in a macro's quotation may look like one.
    public = [each.name for each in declared if each.name and not each.private]
    if wanted is None:
        return public, None if public else "The file declares no theorem."
    # The sender may have written the name in any of Lean's spellings; it is asked for in ours.
    named = parts(wanted.removeprefix("_root_."))
    found = [name for name in public if parts(name) == named]
    return found[:1], None if found else f"The file declares no theorem {wanted[:200]}."
