"""The outcomes of reading exports that are written by hand, so small that a person can follow them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from streamverify.core.export import AcceptedProof, ExportLimits, RefusedProof, UnreadableExport, judge, judge_all

if TYPE_CHECKING:
    from collections.abc import Iterator

META = (
    '{"meta":{"exporter":{"name":"by hand","version":"1"},"format":{"version":"3.1.0"},'
    '"lean":{"githash":"","version":"4.35.0"}}}'
)
# theorem t (p : Prop) (h : p) : p := h
THEOREM = f"""{META}
{{"in":1,"str":{{"pre":0,"str":"t"}}}}
{{"in":2,"str":{{"pre":0,"str":"p"}}}}
{{"ie":0,"sort":0}}
{{"bvar":0,"ie":1}}
{{"bvar":1,"ie":2}}
{{"forallE":{{"binderInfo":"default","body":2,"name":2,"type":1}},"ie":3}}
{{"forallE":{{"binderInfo":"default","body":3,"name":2,"type":0}},"ie":4}}
{{"ie":5,"lam":{{"binderInfo":"default","body":1,"name":2,"type":1}}}}
{{"ie":6,"lam":{{"binderInfo":"default","body":5,"name":2,"type":0}}}}
{{"thm":{{"all":[1],"levelParams":[],"name":1,"type":4,"value":6}}}}
""".encode()


def test_a_theorem_is_accepted() -> None:
    assert judge([THEOREM], ("t",)) == AcceptedProof(
        sha256=hashlib.sha256(THEOREM).hexdigest(),
        size=len(THEOREM),
        lines=11,
        declarations=1,
        axioms=(),
        compared=0,
    )


def test_bytes_may_come_one_by_one() -> None:
    assert judge((bytes([each]) for each in THEOREM), ("t",)) == judge([THEOREM], ("t",))


def test_it_is_compared_with_its_statement() -> None:
    said = judge([THEOREM], ("t",), trusted=[THEOREM])
    assert isinstance(said, AcceptedProof)
    assert said.compared == 1


def test_another_theorem_is_none() -> None:
    said = judge([THEOREM], ("u",))
    assert isinstance(said, RefusedProof)
    assert (said.reason, said.message) == ("no_theorem", "`u` is not in the proof's export.")
    assert (said.sha256, said.size) == (hashlib.sha256(THEOREM).hexdigest(), len(THEOREM))


TWO = THEOREM.replace(
    b'{"thm":',
    b'{"in":3,"str":{"pre":0,"str":"u"}}\n{"thm":{"all":[3],"levelParams":[],"name":3,"type":4,"value":6}}\n{"thm":',
)


def test_an_export_is_read_once_however_many_theorems_are_judged() -> None:
    def once(data: bytes) -> Iterator[bytes]:
        """Yield the bytes; an iterator that is asked again has none."""
        yield data

    said = judge_all(once(TWO), [("t",), ("u",), ("t",)], trusted=once(TWO))
    assert isinstance(said, AcceptedProof)
    assert said.compared == 2


@pytest.mark.parametrize("names", [["t", "u"], ["u", "t"]])
def test_the_theorem_that_is_not_accepted_decides(names: list[str]) -> None:
    said = judge_all([THEOREM], [(name,) for name in names])
    assert isinstance(said, RefusedProof)
    assert (said.reason, said.message) == ("no_theorem", "`u` is not in the proof's export.")
    # It says something else than its statement, which is that of the other as well.
    other = TWO.replace(b'"name":3,"type":4,"value":6', b'"name":3,"type":3,"value":5')
    said = judge_all([TWO], [(name,) for name in names], trusted=[other])
    assert isinstance(said, RefusedProof), said
    assert said.reason == "statement_mismatch"
    assert said.message.startswith("The theorem `u` is not the one that was stated")
    axiom = b'{"axiom":{"isUnsafe":false,"levelParams":[],"name":4,"type":4}}'
    const = b'{"const":{"name":4,"us":[]},"ie":7}'
    cheat = TWO.replace(
        b'{"thm":{"all":[3],"levelParams":[],"name":3,"type":4,"value":6}}',
        b'{"in":4,"str":{"pre":0,"str":"cheat"}}\n' + axiom + b"\n" + const + b"\n"
        b'{"thm":{"all":[3],"levelParams":[],"name":3,"type":4,"value":7}}',
    )
    said = judge_all([cheat], [(name,) for name in names])
    assert isinstance(said, RefusedProof), said
    assert (said.reason, said.message) == ("axiom", "One of the theorems depends on the axiom `cheat`.")


def test_a_theorem_that_may_be_private_is_not_known_to_be_missing() -> None:
    said = judge_all([THEOREM], [("u",)], may_be_private=True)
    assert isinstance(said, UnreadableExport)
    assert "only a `public` theorem" in said.message


def test_no_beginning_of_it_is_accepted() -> None:
    for at in range(len(THEOREM)):
        assert not isinstance(judge([THEOREM[:at]], ("t",)), AcceptedProof), at


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (ExportLimits(bytes=100), "more than 100 bytes"),
        (ExportLimits(line_bytes=10), "a line has more than 10 bytes"),
        (ExportLimits(expressions=3), "more than 3 expressions"),
        (ExportLimits(steps=3), "more than 3 steps"),
    ],
)
def test_what_is_too_large_has_no_fault(limits: ExportLimits, what: str) -> None:
    said = judge([THEOREM[:50], THEOREM[50:]], ("t",), limits=limits)
    assert isinstance(said, UnreadableExport)
    assert said.too_large
    assert said.which == "proof"
    assert what in said.message
