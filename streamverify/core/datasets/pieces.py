"""Lean files from the pieces that data sets have: a statement, what continues it, and the imports of both."""

from __future__ import annotations

import re
import textwrap

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header

_SORRY = re.compile(r"(:=\s*(?:by\b\s*)?)sorry\s*$")


def continued(statement: str, proof: str) -> str:
    """Put a proof behind the statement that it continues, in the place of the statement's `sorry` if it has one.

    Where neither of the two has white space there, the proof begins on a line of its own, indented.
    """
    begin = _SORRY.sub(r"\1", statement)
    if begin == statement and (statement[-1:].isspace() or proof[:1].isspace()):
        return statement + proof
    proof = proof.lstrip("\n")
    return f"{begin.rstrip()}\n{textwrap.indent(proof, '' if proof[:1].isspace() else '  ')}"


def with_imports_of(proof: str, statement: str) -> str:
    """Give a statement without imports those of its proof, and nothing else: all else may be a trick."""
    try:
        own, other = parse_header(statement), parse_header(proof)
    except HeaderError:
        return statement  # the worker says what is wrong with it
    return f"{other.canonical}\n{statement}" if other.canonical and not own.canonical else statement
