"""What is asked of Lean about the theorems of a file once it was accepted, and what its answers mean. Pure.

One command for all theorems, one line each: what a file left open or set must not show in the answers, so names are
asked for and printed in full, and every option that bears on it is set by name. The result lasts for the command
alone: its environment is used by nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.models import Reason, Theorem
from streamverify.core.names import parts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from streamverify.core.models import Message
    from streamverify.core.policy import Declared

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

_AXIOMS = re.compile(
    r"['`](?P<name>.+)['`] (?:does not depend on any axioms|depends on axioms:\s*\[(?P<axioms>.*)\])\s*", re.DOTALL
)
# A quoted name may have commas and brackets in it.
_LISTED = re.compile(r"(?:«[^»]*+»|[^,«]++)++")


class Questions:
    """Lines of one command, and which line asks what."""

    def __init__(self, options: Mapping[str, str], known: Collection[str]) -> None:
        """Set those of `options` that Lean knows: an unknown one would be an error."""
        wanted = {**_LIMITS, **options}
        self._lines = [f"set_option {name} {value}" for name, value in wanted.items() if name in known]

    @property
    def text(self) -> str:
        """The command."""
        return "\n".join(self._lines)

    def ask(self, question: str) -> int:
        """Add a question of one line; its number."""
        self._lines.append(question)
        return len(self._lines)


def answers(messages: Iterable[Message], line: int) -> list[str]:
    """What Lean said to the question of a line, errors and warnings aside."""
    return [each["data"] for each in messages if each["severity"] == "info" and each["pos"]["line"] == line]


def root(name: str) -> str:
    """A full name so that nothing that a file left open gets in its way."""
    return f"_root_.{name}"


def read_axioms(name: str, said: Iterable[str]) -> frozenset[str] | None:
    """The axioms of the theorem with this full name; None where Lean did not say.

    Lean shortens names by what is open, and a name may stand for several theorems: messages about others do not count.
    """
    wanted = parts(name)
    found: set[str] | None = None
    for text in said:
        match = _AXIOMS.fullmatch(text)
        if match and parts(match["name"]) == wanted:
            found = (found or set()) | {each.strip() for each in _LISTED.findall(match["axioms"] or "")}
    return None if found is None else frozenset(found)


def read_type(said: Sequence[str]) -> str | None:
    """What stands after `name :`, or `@name.{u} :`, in the answer to `#check`."""
    for text in said:
        before, colon, after = text.partition(" :")
        if colon and not before.endswith("«") and after[:1] in {" ", "\n"}:
            return after.strip()
    return None


@dataclass(frozen=True, slots=True)
class AxiomsAudit:
    """The questions about the theorems of one file, by the line that asks for axioms; the next asks for the type."""

    text: str
    lines: Mapping[str, int]

    def theorems(self, messages: Sequence[Message]) -> list[Theorem]:
        """Those that Lean knows."""
        found = []
        for name, line in self.lines.items():
            axioms = read_axioms(name, answers(messages, line))
            if axioms is not None:
                found.append(Theorem(name=name, type=read_type(answers(messages, line + 1)), axioms=sorted(axioms)))
        return found


def judge_theorems(theorems: Sequence[Theorem], wanted: Iterable[str]) -> tuple[Reason, str | None]:
    """`ok`, or what is wrong with the first theorem that falls short; `wanted` names those that must be there."""
    for theorem in theorems:
        strange = [axiom for axiom in theorem.axioms if axiom not in ALLOWED_AXIOMS]
        if strange:
            return Reason.AXIOM, f"The proof of {theorem.name} depends on {', '.join(strange)[:200]}."
    known = {theorem.name for theorem in theorems}
    for name in wanted:
        if name not in known:
            return Reason.NO_THEOREM, f"Lean knows no theorem {name} after the file."
    return Reason.OK, None


def audit_of(names: Iterable[str], known_options: Collection[str]) -> AxiomsAudit:
    """Ask for the axioms and the type of each theorem, by full name."""
    questions = Questions(_PLAIN, known_options)
    lines = {}
    for name in dict.fromkeys(names):
        lines[name] = questions.ask(f"#print axioms {root(name)}")
        questions.ask(f"#check @{root(name)}")
    return AxiomsAudit(questions.text, lines)


def theorems_to_audit(declared: Sequence[Declared], wanted: str | None) -> tuple[list[str], str | None]:
    """The full names to ask for, or why there are none.

    Args:
        declared: The theorems that the file declares.
        wanted: The one that the request names; default: all that are not private, whose axioms show in those of the
            theorems that use them.
    """
    public = [each.name for each in declared if each.name and not each.private]
    if wanted is None:
        return public, None if public else "The file declares no theorem."
    named = parts(wanted.removeprefix("_root_."))
    found = [name for name in public if parts(name) == named]
    return found[:1], None if found else f"The file declares no theorem {wanted[:200]}."
