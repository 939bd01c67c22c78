"""The part of a job that is taken above `audited`: file, what it is compared with, theorems to judge. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.audit.statement import read_statement
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.job import Job, Verdict


@dataclass(frozen=True, slots=True)
class AuditedProof:
    """A proof that is to be taken to a higher tier.

    `trusted` is the statement's file, or the header alone where there is none (`stated` is False then). `theorems` are
    the names to judge, each as its parts; `is_module` tells that the file begins with `module`.
    """

    text: str
    trusted: str
    stated: bool
    theorems: Sequence[tuple[str, ...]]
    is_module: bool = False


def proof_of(job: Job, audited: Verdict, vocabulary: Vocabulary) -> AuditedProof:
    """Return what is taken higher of a job that the audit has verified.

    With a statement its theorems are judged: they are what was asked for. Without one, those that were audited.

    Args:
        job: The job.
        audited: The audit's verdict, which names the theorems.
        vocabulary: What the statement was read with before.
    """
    statement = job.request.statement
    if statement is None:
        names = [theorem.name for theorem in audited.theorems]
        trusted = job.header.canonical or "\n"
    else:
        names = list(read_statement(statement, vocabulary).theorems)
        trusted = statement
    return AuditedProof(
        job.request.proof,
        trusted,
        stated=statement is not None,
        theorems=_names(names),
        is_module=job.header.is_module,
    )


def _names(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [parts(name) for name in dict.fromkeys(names)]
