"""Says which tiers a worker can reach: what is installed must work, and a kernel must refuse what is ill typed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.errors import StreamVerifyError
from streamverify.core.messages.models import Assurance
from streamverify.core.tiers.ends import judge
from streamverify.core.tiers.proof import AuditedProof
from streamverify.lean.kernel.acceptances import Acceptances, store_file
from streamverify.lean.kernel.step_sandbox import StepSandbox
from streamverify.lean.kernel.tier_runner import (
    TierRunner,
    ask_kernel,
    remove_leftovers,
    temporary_folder,
    write_readable,
)
from streamverify.lean.kernel.tools import Tool, Tools, find_tools
from streamverify.setting_sources import settings_files

if TYPE_CHECKING:
    from streamverify.core.messages.models import Verifier
    from streamverify.lean.repl.command import ReplCommand
    from streamverify.settings import Settings

_TRIAL_TIMEOUT = 60.0

_TRIAL = "prelude\ninductive T : Prop where | intro : T\ntheorem t : T := T.intro\n"
"""A proof that every Lean 4 compiles, with or without its library."""

_ILL_TYPED = (
    b'{"meta":{"exporter":{"name":"streamverify","version":"1"},"format":{"version":"3.1.0"},'
    b'"lean":{"githash":"","version":"4.35.0"}}}\n'
    b'{"in":1,"str":{"pre":0,"str":"d"}}\n'
    b'{"ie":0,"sort":0}\n'
    b'{"def":{"all":[1],"hints":"opaque","levelParams":[],"name":1,"safety":"safe","type":0,"value":0}}\n'
)
"""`def d : Prop := Prop`: whoever accepts it checks nothing."""


@dataclass(frozen=True, slots=True)
class ReachableTiers:
    """The highest tier that this worker can give, what it lacks for more, and how it gets there."""

    tier: Assurance
    lacks: str = ""
    tier_runner: TierRunner | None = None
    tools: Tools | None = None


async def find_reachable_tiers(settings: Settings, command: ReplCommand, verifier: Verifier) -> ReachableTiers:
    """Find the programs of the tiers, and try them: one small proof all the way, and an ill-typed term.

    Args:
        settings: What is configured.
        command: The pool's REPL, confined as it is.
        verifier: What the REPL says that it is.
    """
    if verifier.kind != "lean":
        return ReachableTiers(Assurance.CHECKED, "a stand-in is no Lean")
    remove_leftovers()
    read = [Path(part) for part in settings.sandbox_read.split(":") if part]
    sandbox = StepSandbox(command, read, settings_files())
    try:
        async with temporary_folder() as folder:
            tools = await find_tools(settings, sandbox, verifier.lean_version, folder)
            if tools.lacks:
                return ReachableTiers(Assurance.AUDITED, tools.lacks, tools=tools)
            tools = await _only_those_that_refuse(sandbox, tools, folder)
        acceptances = Acceptances(store_file(settings.replay_store))
        tier_runner = TierRunner(tools, sandbox, settings.replay_timeout, acceptances)
        if tools.lacks:
            return ReachableTiers(Assurance.AUDITED, tools.lacks, tools=tools)
        # Without the store: what is remembered says nothing of whether the programs work today.
        trial = replace(tier_runner, timeout=_TRIAL_TIMEOUT, acceptances=Acceptances(None))
        target = Assurance.REPLAYED if tools.kernel is None else Assurance.CROSS_CHECKED
        proof = AuditedProof(_TRIAL, "prelude\n", stated=False, theorems=[("t",)])
        found = await trial.run(proof, target)
    except (OSError, StreamVerifyError) as error:
        return ReachableTiers(Assurance.AUDITED, f"a trial could not be carried out: {error}")
    if found.reached is Assurance.CROSS_CHECKED:
        lacks = ""
    elif found.reached is Assurance.REPLAYED and tools.kernel is None:
        # The trial went well, and ended where the tools end.
        lacks = tools.kernel_lacks
    else:
        lacks = found.words
    return ReachableTiers(found.reached, lacks, tier_runner if found.reached > Assurance.AUDITED else None, tools)


async def _only_those_that_refuse(sandbox: StepSandbox, tools: Tools, folder: Path) -> Tools:
    """Take away a kernel that does not refuse the ill-typed term. `leanchecker MODULE` cannot be asked about it."""
    write_readable(folder / "proof.ndjson", _ILL_TYPED)

    async def why_not(tool: Tool) -> str:
        end = await ask_kernel(sandbox, tool, folder, _TRIAL_TIMEOUT)
        step_verdict = judge(tool.name, end)
        if step_verdict.outcome == "refused":
            return ""
        return f"{tool.argv[0]} does not refuse an ill-typed term: {step_verdict.words or step_verdict.outcome}"

    if tools.replayer is not None and tools.replayer.name == "leanchecker" and (why := await why_not(tools.replayer)):
        return replace(tools, replayer=None, lacks=why)
    if tools.kernel is not None and (why := await why_not(tools.kernel)):
        return replace(tools, kernel=None, kernel_lacks=why)
    return tools
