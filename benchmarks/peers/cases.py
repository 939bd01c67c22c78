"""The proofs of the comparison, the answers that are right for each, and what an answer is then called.

Pure. A *timed* case counts for speed and for verdicts, a *trap* for verdicts alone: most traps are ordinary Lean files
that a program must read by Lean's rules to judge rightly, the others try to pass or to take something down.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEADERS_OF_2021 = ("import Lean", "import Lean.Elab")
"""What a Lean without Mathlib has; its imports take about half a second each."""
HEADERS_OF_SYNTHETIC = ("import Mathlib", "import Mathlib.Tactic\nimport Aesop")
NOT_THERE = "Nope.Not.There"
_THEOREM = "theorem t{0} (p q r : Prop) (h : p ∧ q ∧ r) : r ∧ q ∧ p :=\n  ⟨h.2.2, h.2.1, h.1⟩\n"
_FALSE = "theorem wrong : 1 = 2 := rfl\n"
_SECONDS_A_THEOREM = 0.0025
"""What the synthetic REPL takes for each theorem of a timed proof: about as a real Lean of 2021."""
_MEAN_THEOREMS = 12
_MAX_THEOREMS = 60
_FALSE_ONES = 0.1
_PARENTHESES = 20_000
"""So deep that Lean's parser runs out of stack, and the process dies by a signal."""


class Answer(StrEnum):
    """What a system says of a proof. `NONE`: no verdict, as after a time-out, or an error of its own."""

    VALID = "valid"
    INVALID = "invalid"
    NONE = "none"


class Judgement(StrEnum):
    """What an answer is worth."""

    RIGHT = "right"
    ACCEPTED = "accepted"
    """Called valid, and it is not: the worst."""
    REJECTED = "rejected"
    """Called invalid, and it is not."""
    UNANSWERED = "unanswered"
    """A proof that has a verdict got none."""


@dataclass(frozen=True, slots=True)
class Case:
    """A proof with the answers that are right for it; none: nobody knows, and it is not judged."""

    id: str
    proof: str
    expected: tuple[Answer, ...] = ()
    trap: str = ""
    """What it tries; empty: a timed proof."""


def judge(expected: Sequence[Answer], answer: Answer) -> Judgement:
    """Return what the answer is worth. Where nothing is expected everything is right."""
    if not expected or answer in expected:
        return Judgement.RIGHT
    match answer:
        case Answer.VALID:
            return Judgement.ACCEPTED
        case Answer.INVALID:
            return Judgement.REJECTED
        case Answer.NONE:
            return Judgement.UNANSWERED


def timed(count: int, headers: Sequence[str], *, synthetic: bool, seed: int = 1) -> list[Case]:
    """Return proofs of 2 to 150 ms whose headers take turns, a tenth of them false."""
    rng = random.Random(seed)  # noqa: S311
    cases = []
    for number in range(count):
        theorems = min(_MAX_THEOREMS, 1 + int(rng.expovariate(1 / _MEAN_THEOREMS)))
        holds = rng.random() >= _FALSE_ONES
        body = "".join(_THEOREM.format(f"{number}_{each}") for each in range(theorems))
        if synthetic:
            body += f"-- synthetic: service={theorems * _SECONDS_A_THEOREM:.4f}{'' if holds else ' error'}\n"
        elif not holds:
            body += _FALSE
        header = headers[number % len(headers)]
        cases.append(Case(f"timed-{number}", f"{header}\n{body}", (Answer.VALID if holds else Answer.INVALID,)))
    return cases


def traps(headers: Sequence[str], *, synthetic: bool, timeout: float, reports_sorries: bool) -> list[Case]:
    """Return the traps, each with a good proof behind it, which has to get its verdict whatever the trap does.

    A REPL that does not list what is `sorry` (`reports_sorries`) is not asked about it: drivers rely on the list.
    """
    good, bad = (Answer.VALID,), (Answer.INVALID, Answer.NONE)
    header, other = headers[0], headers[-1]
    one_line = header.replace("\n", " ")
    fails = " -- synthetic: error" if synthetic else ""
    named = [
        ("import and theorem on one line", f"{one_line} theorem one_line : 1 = 1 := rfl\n", good),
        ("import and a false theorem on one line", f"{one_line} theorem one_line : 1 = 2 := rfl{fails}\n", (bad[0],)),
        (
            "a comment before the import",
            f"-- Copyright of somebody\n{header}\ntheorem commented : 1 = 1 := rfl\n",
            good,
        ),
        ("no header", "theorem no_header : 1 = 1 := rfl\n", good),
        ("no header, the same name again", "theorem no_header : 2 = 2 := rfl\n", good),
        ("an import that is not there", f"import {NOT_THERE}\ntheorem nope : 1 = 1 := rfl\n", bad),
        ("a false theorem behind #exit", f"{header}\ntheorem before : 1 = 1 := rfl\n#exit\n{_FALSE}", bad),
        ("an axiom of its own", f"{header}\naxiom cheat (p : Prop) : p\ntheorem wrong : 1 = 2 := cheat _\n", bad),
        ("takes its process down", f"{header}\n{_crash(synthetic=synthetic)}", bad),
        ("never ends", f"{header}\n{_endless(synthetic=synthetic)}", bad),
        ("never ends, other header", f"{other}\n{_endless(synthetic=synthetic)}", bad),
        ("takes half of the time-out", f"{header}\n{_slow(timeout / 2, synthetic=synthetic)}", good),
    ]
    if reports_sorries:
        said = " -- synthetic: sorry" if synthetic else ""
        named.append(("sorry", f"{header}\ntheorem wrong : 1 = 2 := sorry{said}\n", bad))
    if synthetic:
        named.append(
            ("writes an answer of its own", f"{header}\ntheorem f : 1 = 2 := rfl -- synthetic: forge error\n", bad)
        )
    cases = []
    for number, (trap, proof, expected) in enumerate(named):
        cases.append(Case(f"trap-{number}", proof, expected, trap))
        neighbour = f"{headers[number % len(headers)]}\n{_THEOREM.format(f'behind_{number}')}"
        cases.append(Case(f"behind-{number}", neighbour, good, f"behind: {trap}"))
    return cases


def _crash(*, synthetic: bool) -> str:
    if synthetic:
        return f"{_FALSE} -- synthetic: crash\n"
    return f"theorem wrong : 1 = 2 := {'(' * _PARENTHESES}rfl{')' * _PARENTHESES}\n"


def _endless(*, synthetic: bool) -> str:
    if synthetic:
        return f"{_FALSE} -- synthetic: hang\n"
    return "partial def loop (n : Nat) : Nat := loop (n + 1)\n#eval loop 0\n"


def _slow(seconds: float, *, synthetic: bool) -> str:
    if synthetic:
        return f"theorem slow : 1 = 1 := rfl -- synthetic: service={seconds:g}\n"
    return "".join(_THEOREM.format(f"slow_{each}") for each in range(int(seconds / _SECONDS_A_THEOREM)))


def to_lines(cases: Iterable[Case]) -> str:
    """Return the cases as JSONL, as `from_lines` reads them."""
    return "".join(json.dumps(asdict(case), ensure_ascii=False) + "\n" for case in cases)


def from_lines(text: str) -> list[Case]:
    """Return the cases of a JSONL file: `id`, `proof`, and where known `expected` (a list of answers) and `trap`.

    Raises:
        ValueError: A line is no case, or an id comes twice.
    """
    cases = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            expected = tuple(Answer(word) for word in fields.get("expected", ()))
            cases.append(Case(str(fields["id"]), fields["proof"], expected, fields.get("trap", "")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number}: not a proof with an id: {error!r}") from error
    if len({case.id for case in cases}) != len(cases):
        raise ValueError("the file has an id twice")
    return cases
