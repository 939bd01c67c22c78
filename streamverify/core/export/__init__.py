"""Exports of lean4export: what a program that never ran a line of a proof can say of it.

`judge` and `judge_all` are what this is for; see `judge.py` for what it decides and what it leaves to kernels.
"""

from streamverify.core.export.judge import judge, judge_all
from streamverify.core.export.known import KERNEL_ROOTS, STANDARD_AXIOMS
from streamverify.core.export.roots import exporter_name, needed
from streamverify.core.export.stream import ExportLimits
from streamverify.core.export.verdicts import AcceptedProof, ExportReading, Refusal, RefusedProof, UnreadableExport

__all__ = [
    "KERNEL_ROOTS",
    "STANDARD_AXIOMS",
    "AcceptedProof",
    "ExportLimits",
    "ExportReading",
    "Refusal",
    "RefusedProof",
    "UnreadableExport",
    "exporter_name",
    "judge",
    "judge_all",
    "needed",
]
