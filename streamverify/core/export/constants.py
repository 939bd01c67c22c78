"""The declarations of an export: constants, and the blocks of inductive types that belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamverify.core.export.names import NameTable
    from streamverify.core.export.terms import Terms


class ConstantKind(StrEnum):
    """The kind of a constant, in the words of a sentence."""

    AXIOM = "axiom"
    DEFINITION = "definition"
    THEOREM = "theorem"
    OPAQUE = "opaque definition"
    QUOTIENT = "part of the quotient type"
    INDUCTIVE = "inductive type"
    CONSTRUCTOR = "constructor"
    RECURSOR = "recursor"


@dataclass(slots=True)
class Constant:
    """One constant; `params` are the names of its universe parameters, `type` and `value` rows of the expressions."""

    kind: ConstantKind
    name: int
    params: tuple[int, ...]
    type: int
    value: int | None = None
    word: str = ""
    """The part of the quotient type that it is, as the export says."""
    block: Block | None = None
    """Of what belongs to an inductive type, all that belongs together, and where it stands there (`at`)."""
    at: int = 0


@dataclass(slots=True)
class Inductive(Constant):
    """An inductive type, with what the export says of it."""

    parameters: int = 0
    indices: int = 0
    nested: int = 0
    recursive: bool = False
    all: tuple[int, ...] = ()
    constructors: tuple[int, ...] = ()


@dataclass(slots=True)
class Constructor(Constant):
    """A constructor of an inductive type, with what the export says of it."""

    of: int = 0
    index: int = 0
    parameters: int = 0
    fields: int = 0


@dataclass(slots=True)
class RecursorRule:
    """The term that a recursor becomes where it is applied to a constructor."""

    constructor: int
    fields: int
    value: int


@dataclass(slots=True)
class Recursor(Constant):
    """A recursor, with what the export says of it."""

    all: tuple[int, ...] = ()
    parameters: int = 0
    indices: int = 0
    motives: int = 0
    minors: int = 0
    rules: tuple[RecursorRule, ...] = ()
    k: bool = False


@dataclass(slots=True)
class Block:
    """Inductive types that were declared together, with their constructors and recursors."""

    types: list[Inductive]
    constructors: list[Constructor]
    recursors: list[Recursor]

    def members(self) -> list[Constant]:
        """Return every constant of the block."""
        return [*self.types, *self.constructors, *self.recursors]


@dataclass(slots=True)
class Export:
    """An export that was read whole: every constant that it mentions was declared before, or in the same block."""

    names: NameTable
    terms: Terms
    constants: dict[int, Constant] = field(default_factory=dict)
    unsafe: dict[int, None] = field(default_factory=dict)
    """The constants that are declared as unsafe or partial, which kernels do not check as others."""
    lines: int = 0
    size: int = 0
    sha256: str = ""

    def roots(self, constant: Constant) -> list[int]:
        """Return the expressions that a constant consists of: of an inductive type, those of its whole block."""
        if constant.block is None:
            return [constant.type] if constant.value is None else [constant.type, constant.value]
        members = constant.block.members()
        rules = [rule.value for recursor in constant.block.recursors for rule in recursor.rules]
        return [*(member.type for member in members), *rules]
