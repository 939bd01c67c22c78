"""A proof on its way above `audited` with a real Lean, a real exporter and our own reading; kernels are stand-ins.

`leanchecker` is in no wheel. Where `nanoda_bin` is on the PATH it is the independent kernel, else a stand-in is.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tier_fakes
from oracle.exporting import exporter
from oracle.lean435 import VERSION, command

from streamverify.core.messages.models import Assurance, Reason
from streamverify.core.tiers.proof import AuditedProof
from streamverify.lean.kernel.tools import Tool

if TYPE_CHECKING:
    from streamverify.lean.kernel.tier_runner import TierRunner

pytestmark = pytest.mark.timeout(300)

HEAD = """prelude
set_option genCtorIdx false
inductive Eq {α : Sort u} : α → α → Prop where | refl (a : α) : Eq a a
inductive N : Type where | z : N | s (n : N) : N
private theorem own (n : N) : Eq n n := Eq.refl n
def two : N := N.s (N.s N.z)
"""
STATED = f"{HEAD}axiom sorryAx (a : Prop) : a\ntheorem A.t : Eq two (N.s (N.s N.z)) := sorryAx _\n"
HONEST = f"{HEAD}theorem A.t : Eq two (N.s (N.s N.z)) := own two\n"


@pytest.fixture(scope="module")
def tier_runner(tmp_path_factory: pytest.TempPathFactory) -> TierRunner:
    folder = tmp_path_factory.mktemp("tools")
    made = tier_fakes.tier_runner(folder)
    nanoda = shutil.which("nanoda_bin")
    kernel = made.tools.kernel if nanoda is None else Tool("nanoda", (nanoda,))
    tools = replace(
        made.tools,
        lean=Tool("lean", (str(command(folder)),), VERSION),
        exporter=Tool("olean-export", (exporter(),)),
        kernel=kernel,
    )
    return replace(made, tools=tools)


@pytest.mark.parametrize(
    ("text", "reason", "reached"),
    [
        (HONEST, Reason.OK, Assurance.CROSS_CHECKED),
        # The same private name in two modules of one name; another proof of the same.
        (HONEST.replace("own two", "Eq.refl two"), Reason.OK, Assurance.CROSS_CHECKED),
        (HONEST.replace("own two", "cheat").replace("theorem A", "axiom cheat : Eq two (N.s (N.s N.z))\ntheorem A"),
         Reason.AXIOM, Assurance.AUDITED),
        (HONEST.replace("N.s (N.s N.z)\n", "N.s N.z\n").replace("Eq two (N.s (N.s N.z))", "Eq two two"),
         Reason.STATEMENT_MISMATCH, Assurance.AUDITED),
        (HONEST.replace("def two : N := N.s (N.s N.z)", "def two : N := N.z").replace("(N.s (N.s N.z))", "two"),
         Reason.STATEMENT_MISMATCH, Assurance.AUDITED),
        (HONEST.replace("own two", "missing"), Reason.UNSUPPORTED, Assurance.AUDITED),
        (HONEST.replace("theorem A.t", "theorem B.t"), Reason.UNSUPPORTED, Assurance.AUDITED),
    ],
)  # fmt: skip
async def test_what_becomes_of_a_proof(tier_runner: TierRunner, text: str, reason: Reason, reached: Assurance) -> None:
    proof = AuditedProof(text, STATED, stated=True, theorems=[("A", "t")])
    found = await tier_runner.run(proof, Assurance.CROSS_CHECKED)
    assert (found.reason, found.reached) == (reason, reached), found.words


async def test_without_a_statement_the_header_is_compared(tier_runner: TierRunner) -> None:
    proof = AuditedProof(HONEST, "prelude\n", stated=False, theorems=[("A", "t")])
    found = await tier_runner.run(proof, Assurance.REPLAYED)
    assert (found.reason, found.reached) == (Reason.OK, Assurance.REPLAYED), found.words


MODULE_HEAD = HEAD.replace("prelude\n", "module\n\nprelude\n").replace("inductive", "public inductive")


@pytest.mark.parametrize(
    ("theorem", "reason"),
    [
        ("public theorem A.t", Reason.OK),
        # Private to the file: the exporter writes nothing when asked for `A.t`, and that is no fault of the proof.
        ("theorem A.t", Reason.UNSUPPORTED),
    ],
)
async def test_in_a_module_only_what_is_public_can_be_asked_for(
    tier_runner: TierRunner, theorem: str, reason: Reason
) -> None:
    text = f"{MODULE_HEAD}{theorem} (n : N) : Eq n n := Eq.refl n\n"
    proof = AuditedProof(text, "module\n\nprelude\n", stated=False, theorems=[("A", "t")], is_module=True)
    found = await tier_runner.run(proof, Assurance.REPLAYED)
    assert (found.reason, found.is_refusal) == (reason, False), found.words


async def test_a_result_tells_lean_s_first_error_and_not_where_the_file_lay(tier_runner: TierRunner) -> None:
    wrong = f"{HEAD}theorem A.t : Eq two two := own\n#check nothing\n"
    found = await tier_runner.run(
        AuditedProof(wrong, "prelude\n", stated=False, theorems=[("A", "t")]), Assurance.REPLAYED
    )
    assert "StreamverifyProof.lean:7:" in found.words
    assert "/" not in found.words
