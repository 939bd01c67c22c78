"""Exports of lean4export: what a program that never ran a line of a proof can say of it.

`judge` and `judge_all` are what this is for; see `judge.py` for what it decides and what it leaves to kernels.
"""

from streamverify.core.export.judge import judge, judge_all
from streamverify.core.export.known import KERNEL_ROOTS, STANDARD_AXIOMS
from streamverify.core.export.roots import exporter_name, needed
from streamverify.core.export.stream import Limits
from streamverify.core.export.verdicts import Accepted, Reading, Refusal, Refused, Unreadable

__all__ = [
    "KERNEL_ROOTS",
    "STANDARD_AXIOMS",
    "Accepted",
    "Limits",
    "Reading",
    "Refusal",
    "Refused",
    "Unreadable",
    "exporter_name",
    "judge",
    "judge_all",
    "needed",
]
