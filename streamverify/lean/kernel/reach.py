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
from streamverify.lean.kernel.box import Box
from streamverify.lean.kernel.climber import Climber, ask_kernel, remove_leftovers, temporary_folder, write_readable
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
class Reach:
    """The highest tier that this worker can give, what it lacks for more, and how it gets there."""

    tier: Assurance
    lacks: str = ""
    climber: Climber | None = None
    tools: Tools | None = None


async def reach_of(settings: Settings, command: ReplCommand, verifier: Verifier) -> Reach:
    """Find the programs of the tiers, and try them: one small proof all the way, and an ill-typed term.

    Args:
        settings: What is configured.
        command: The pool's REPL, confined as it is.
        verifier: What the REPL says that it is.
    """
    if verifier.kind != "lean":
        return Reach(Assurance.CHECKED, "a stand-in is no Lean")
    remove_leftovers()
    read = [Path(part) for part in settings.sandbox_read.split(":") if part]
    box = Box(command, read, settings_files())
    try:
        async with temporary_folder() as folder:
            tools = await find_tools(settings, box, verifier.lean_version, folder)
            if tools.lacks:
                return Reach(Assurance.AUDITED, tools.lacks, tools=tools)
            tools = await _only_those_that_refuse(box, tools, folder)
        acceptances = Acceptances(store_file(settings.replay_store))
        climber = Climber(tools, box, settings.replay_timeout, acceptances)
        if tools.lacks:
            return Reach(Assurance.AUDITED, tools.lacks, tools=tools)
        # Without the store: what is remembered says nothing of whether the programs work today.
        trial = replace(climber, timeout=_TRIAL_TIMEOUT, acceptances=Acceptances(None))
        target = Assurance.REPLAYED if tools.kernel is None else Assurance.CROSS_CHECKED
        proof = AuditedProof(_TRIAL, "prelude\n", stated=False, theorems=[("t",)])
        found = await trial.climb(proof, target)
    except (OSError, StreamVerifyError) as error:
        return Reach(Assurance.AUDITED, f"a trial could not be carried out: {error}")
    if found.reached is Assurance.CROSS_CHECKED:
        lacks = ""
    elif found.reached is Assurance.REPLAYED and tools.kernel is None:
        # The trial went well, and ended where the tools end.
        lacks = tools.kernel_lacks
    else:
        lacks = found.words
    return Reach(found.reached, lacks, climber if found.reached > Assurance.AUDITED else None, tools)


async def _only_those_that_refuse(box: Box, tools: Tools, folder: Path) -> Tools:
    """Take away a kernel that does not refuse the ill-typed term. `leanchecker MODULE` cannot be asked about it."""
    write_readable(folder / "proof.ndjson", _ILL_TYPED)

    async def why_not(tool: Tool) -> str:
        end = await ask_kernel(box, tool, folder, _TRIAL_TIMEOUT)
        judgement = judge(tool.name, end)
        if judgement.outcome == "refused":
            return ""
        return f"{tool.argv[0]} does not refuse an ill-typed term: {judgement.words or judgement.outcome}"

    if tools.replayer is not None and tools.replayer.name == "leanchecker" and (why := await why_not(tools.replayer)):
        return replace(tools, replayer=None, lacks=why)
    if tools.kernel is not None and (why := await why_not(tools.kernel)):
        return replace(tools, kernel=None, kernel_lacks=why)
    return tools
