"""`streamverify doctor`."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from streamverify.cli.options import EVERYTHING, with_settings
from streamverify.cli.output import print_json, print_line, printable, stdout
from streamverify.core.audit.vocabulary import Trusted
from streamverify.core.errors import BrokerUnavailable, ReplUnavailable, SettingsError
from streamverify.core.messages.assurance import Assurance
from streamverify.core.messages.versions import is_older
from streamverify.lean.repl import resources
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.messages.models import Verifier
    from streamverify.core.syntax.header import Header
    from streamverify.core.topic_plans import TopicState
    from streamverify.lean.kernel.reachable_tiers import ReachableTiers
    from streamverify.lean.repl.command import ReplCommand
    from streamverify.lean.repl.resources import SlotPlan
    from streamverify.lean.warm_headers import HeaderTrial

EXAMPLES = """\
Examples
  streamverify doctor
  streamverify doctor --bootstrap-servers kafka:9092 --json
  streamverify doctor --repl replay      would a worker run with this setting?

Exit code 0: a worker could run here. 4: something that it needs is missing."""

_LIBRARIES = ("aiokafka", "aiohttp", "orjson", "pydantic", "confluent-kafka")
_GIB = 1024**3
_MIB = 1024**2
_STORE_SECONDS = 5.0
# More than a slot has been seen to use: a limit that is reached ends a worker long after its start.
_FILES_PER_SLOT = 8
_FILES_BESIDES = 256
_PROCESSES_PER_SLOT = 16
_PROCESSES_BESIDES = 64

Level = Literal["ok", "warning", "missing"]
_MARKS: dict[Level, str] = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "missing": "[red]missing[/]"}


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check. `missing` means that no worker could run; `advice` says what to do."""

    name: str
    level: Level
    found: str
    advice: str = ""


@with_settings(*EVERYTHING)
def doctor(
    *,
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as one line of JSON.")] = False,
) -> None:
    """Check what a worker needs on this machine (Lean, Kafka, cores, memory, limits), and say what to do."""
    from streamverify.logs import configure  # noqa: PLC0415 - keeps --help fast

    # The REPL and the Kafka client log, too: to stderr, as stdout is for the checks.
    configure(settings.log_level, settings.log_format)
    checks = asyncio.run(examine(settings))
    levels = [check.level for check in checks]
    able, warnings = "missing" not in levels, levels.count("warning")
    if as_json:
        print_json({"able": able, "checks": [asdict(check) for check in checks]})
    else:
        console = stdout()
        for check in checks:
            console.print(f"{_MARKS[check.level]}  [bold]{escape(check.name)}[/]: {escape(printable(check.found))}")
            for line in printable(check.advice).splitlines():
                console.print(f"         {escape(line)}", soft_wrap=True)
        but = f" See the {'warning' if warnings == 1 else f'{warnings} warnings'} above." if warnings else ""
        print_line(f"\nA worker could run here.{but}" if able else "\nA worker could not serve here yet.")
    if not able:
        raise typer.Exit(BrokerUnavailable.exit_code)


async def examine(settings: Settings) -> list[Check]:
    """Carry out all checks, in the order in which they are shown."""
    from streamverify.lean.repl.resources import plan_for  # noqa: PLC0415 - keeps --help fast

    # First, because how many slots fit depends on the REPL: one with Mathlib is planned with four times the memory.
    repl, command = await _repl(settings)
    plan = plan_for(settings, command)
    return [
        python_check(sys.version_info[:3], platform.system()),
        Check("libraries", "ok", ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)),
        *repl,
        *await _kafka(settings),
        *await _cache(settings),
        cores_check(plan, os.cpu_count() or plan.cores),
        memory_check(plan, repl_found=command is not None),
        files_check(resources.open_files_limit(), plan.slots + plan.spares),
        processes_check(resources.process_limit(), plan.slots + plan.spares),
        reservations_check(resources.limits_on_reservations()),
    ]


def python_check(version: tuple[int, ...], system: str) -> Check:
    """Check that this is Linux, for which limits, sandbox and process control are written."""
    found = f"{'.'.join(map(str, version))} on {system}"
    if system != "Linux":
        return Check("Python", "warning", found, "limits, sandbox and process control are written for Linux")
    return Check("Python", "ok", found)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


async def _repl(settings: Settings) -> tuple[list[Check], ReplCommand | None]:
    from streamverify.lean.kernel.reachable_tiers import find_reachable_tiers  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.repl.launch import configured_repl, find_repl, known_as, probe  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.repl.resources import plan_for  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.warm_headers import headers_to_warm, try_header  # noqa: PLC0415 - keeps --help fast

    try:
        found = await find_repl(settings.repl, settings.lean_project)
        plan = plan_for(settings, found)
        # What a worker would start: with its limits and in its sandbox.
        command = await configured_repl(settings, slots=plan.slots, spares=plan.spares, found=found)
        verifier = await probe(command)
        found, command = known_as(found, verifier), known_as(command, verifier)
    except ReplUnavailable as error:
        return [Check("REPL", "missing", f"none with the setting repl = {settings.repl}", str(error))], None
    headers = [
        header_check(header, await try_header(command, header, timeout=settings.import_timeout), command.limits.memory)
        for header in headers_to_warm(settings.prewarm, command)
    ]
    checks = [*repl_checks(verifier, settings), sandbox_check(verifier), *headers]
    if verifier.kind == "lean":
        checks.append(tiers_check(await find_reachable_tiers(settings, command, verifier), settings))
    if settings.policy_allow and verifier.kind == "lean":
        checks.append(await _policy_allow(settings, command))
    return checks, found


async def _policy_allow(settings: Settings, command: ReplCommand) -> Check:
    """Ask the environments of the prewarmed headers whether they know the words of `policy_allow`."""
    from streamverify.lean.repl.commands import ImportRejected  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.repl.errors import ReplFailure  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.vocabularies import Vocabularies  # noqa: PLC0415 - keeps --help fast
    from streamverify.lean.warm_headers import headers_to_warm  # noqa: PLC0415 - keeps --help fast

    vocabularies = Vocabularies(command, import_timeout=settings.import_timeout, trusted=Trusted())
    known: list[Vocabulary] = []
    for header in headers_to_warm(settings.prewarm, command):
        try:
            known.append(await vocabularies.of_header(header))
        except (ReplFailure, ImportRejected) as error:
            return Check("policy_allow", "warning", f"not looked at: {header.canonical.strip()}", str(error))
    return allowed_check(Trusted.parse(settings.policy_allow), known)


def allowed_check(allowed: Trusted, known: Sequence[Vocabulary]) -> Check:
    """Check that each word of `policy_allow` is known to some prewarmed header."""
    unknown = [
        f"{kind}:{name}"
        for kind, names in (("command", "commands"), ("attribute", "attributes"), ("option", "options"))
        for name in sorted(getattr(allowed, names))
        if not any(name in getattr(each, names) for each in known)
    ]
    if not known:
        return Check("policy_allow", "warning", "no header to ask", "add a header that has these words to PREWARM")
    if unknown:
        advice = "a word that no library defines may be defined by a proof: remove it, or add its header to PREWARM"
        return Check("policy_allow", "warning", f"not known to the prewarmed headers: {', '.join(unknown)}", advice)
    return Check("policy_allow", "ok", "every word is known to a prewarmed header")


def sandbox_check(verifier: Verifier) -> Check:
    """Check that code which a proof runs is confined."""
    if verifier.sandbox == "none" and verifier.kind == "lean":
        return Check("sandbox", "warning", "none", "a proof can run code as this user; see docs/sandbox.md")
    needless = " (a stand-in runs no code of a proof)" if verifier.sandbox == "none" else ""
    return Check("sandbox", "ok", f"{verifier.sandbox}{needless}")


def tiers_check(reachable: ReachableTiers, settings: Settings) -> Check:
    """Check which tiers of assurance a worker reaches here, and that they are those which the settings ask for."""
    tools = reachable.tools
    named = [tools.exporter, tools.replayer, tools.kernel] if tools and reachable.tier > Assurance.AUDITED else []
    programs = ", ".join(f"{tool.name} {tool.version or ''}".strip() for tool in named if tool is not None)
    found = f"up to {reachable.tier}{f' ({programs})' if programs else ''}"
    if reachable.lacks:
        found += f"; for more: {reachable.lacks}"
    if Assurance(settings.upgrade) > reachable.tier:
        return Check(
            "tiers",
            "missing",
            found,
            f"upgrade = {settings.upgrade} needs a higher tier: docs/tiers.md says how to install it",
        )
    asked = max(Assurance(settings.require), Assurance(settings.require_min))
    if asked > reachable.tier:
        advice = f"every proof would be `unsupported` with require = {asked}; docs/tiers.md says how to install it"
        return Check("tiers", "missing", found, advice)
    return Check("tiers", "ok", found)


def header_check(header: Header, trial: HeaderTrial, limit: int | None) -> Check:
    """Check that a header of PREWARM can be imported under the limits of a REPL, and leaves room for proofs."""
    name = "; ".join(header.canonical.split("\n")).strip("; ") or "a blank header"
    if trial.failure is not None:
        return Check(name, "missing", "cannot be imported", trial.failure)
    found = f"imported in {trial.seconds:.1f} s, {trial.memory / _MIB:.0f} MiB of private memory"
    if limit is None:
        return Check(name, "ok", found)
    found = f"{found} of {limit / _MIB:.0f} MiB"
    if trial.memory > limit / 2:
        return Check(name, "warning", found, "less than half is left for proofs: raise --memory-per-repl")
    return Check(name, "ok", found)


def repl_checks(verifier: Verifier, settings: Settings) -> list[Check]:
    """Show the versions that the REPL tells, and check that its Lean is new enough and does what is asked for."""
    from streamverify.worker.start_checks import SAFE_LEAN, known_bugs, too_old  # noqa: PLC0415 - keeps --help fast

    if verifier.kind != "lean":
        return [_stand_in_check(verifier.kind, settings)]
    mathlib = verifier.mathlib_version
    refusal = too_old(verifier, settings.min_lean_version)
    if refusal:
        lean = Check("Lean", "missing", f"version {verifier.lean_version}", refusal)
    elif is_older(verifier.lean_version, SAFE_LEAN):
        lean = Check("Lean", "warning", f"version {verifier.lean_version}", known_bugs())
    else:
        lean = Check("Lean", "ok", f"version {verifier.lean_version}")
    return [
        Check("REPL", "ok", f"answers (version {verifier.repl_version or 'unknown'})"),
        lean,
        Check("Mathlib", "ok", f"version {mathlib}")
        if mathlib
        else Check("Mathlib", "warning", "not found", "proofs that import it are inconclusive; ./setup_lean.sh has it"),
    ]


def _stand_in_check(kind: str, settings: Settings) -> Check:
    """Check that nobody asks a stand-in for an audit: without one it serves a trial."""
    found = f"the {kind} REPL answers, which is no Lean"
    if {settings.require, settings.require_min} != {"checked"}:
        return Check(
            "REPL",
            "missing",
            f"{found} and audits nothing: with require = {settings.require}, require_min = {settings.require_min} "
            "every proof would be `unsupported`",
            "for a trial set STREAMVERIFY_REQUIRE=checked; ./setup_lean.sh installs Lean",
        )
    return Check("REPL", "warning", found, "its verdicts are not Lean's; ./setup_lean.sh installs Lean")


async def _kafka(settings: Settings) -> list[Check]:
    from streamverify.bus.admin import patient_admin  # noqa: PLC0415 - keeps --help fast
    from streamverify.bus.topics import count_brokers, inspect_topics, plan_topics  # noqa: PLC0415 - keeps --help fast

    # Those that a worker needs.
    names = {settings.request_topic, settings.result_topic, settings.dlq_topic}
    try:
        # With a worker's patience: one of the brokers may hang, and a shorter one was over before another was asked.
        async with patient_admin(settings) as admin:
            plans = plan_topics(settings, brokers=await count_brokers(admin))
            states = await inspect_topics(admin, [plan for plan in plans if plan.name in names])
    except BrokerUnavailable as error:
        return [Check("Kafka", "missing", f"no broker at {settings.bootstrap_servers}", str(error))]
    return [Check("Kafka", "ok", f"answers at {settings.bootstrap_servers}"), *map(topic_check, states)]


async def _cache(settings: Settings) -> list[Check]:
    """Check that the store of the result cache answers; a worker starts without it, and is slower."""
    from streamverify.cache.choice import store_of  # noqa: PLC0415 - keeps --help fast
    from streamverify.cache.store import StoreFailed, without_password  # noqa: PLC0415 - keeps --help fast

    if settings.cache == "none":
        return []
    found = without_password(settings.cache)
    try:
        store = store_of(settings)
    except SettingsError as error:
        return [Check("cache", "missing", found, str(error))]
    if store is None:
        return [Check("cache", "ok", f"{found}: each worker's own, until it ends")]
    try:
        async with asyncio.timeout(_STORE_SECONDS):
            await store.check()
    except (StoreFailed, TimeoutError) as error:
        advice = "until it answers, proofs are verified anew (docs/cache.md)"
        return [Check("cache", "warning", str(error) or f"{found} has not answered for {_STORE_SECONDS:g} s", advice)]
    finally:
        await store.close()
    return [Check("cache", "ok", f"{found} can be read and written")]


def topic_check(state: TopicState) -> Check:
    """Check that a topic exists, and that its settings lose no proofs."""
    name = f"topic {state.name}"
    if not state.exists:
        return Check(name, "missing", "not there", "; ".join(state.warnings) or "streamverify topics create")
    found = f"{state.partitions} partitions, replication {state.replication}"
    return Check(name, "warning" if state.warnings else "ok", found, "; ".join(state.warnings))


def cores_check(plan: SlotPlan, of: int) -> Check:
    """Check that there are not more slots than cores."""
    slots = f"{plan.slots} REPL slots" + (f" and {plan.spares} spare" if plan.spares else "")
    found = f"{plan.cores} of {of} may be used (affinity and cgroup quota), {slots}, {plan.threads} threads each"
    if plan.slots > plan.cores:
        return Check(
            "cores", "warning", found, "more slots than cores: proofs take longer and may time out; use --slots auto"
        )
    return Check("cores", "ok", found)


def memory_check(plan: SlotPlan, *, repl_found: bool = True) -> Check:
    """Check that the memory suffices for the slots, and the slots for the cores."""
    if plan.memory is None:
        return Check("memory", "warning", "could not be read")
    # Nothing is planned for a REPL that is not there: it may be one with Mathlib or one without.
    if not repl_found:
        return Check("memory", "ok", f"{plan.memory / _GIB:.1f} GiB; how much a REPL needs depends on the Lean")
    found = (
        f"{plan.memory / _GIB:.1f} GiB, {plan.memory_per_repl / _GIB:.2g} GiB planned for each REPL, "
        f"{plan.shared / _GIB:.2g} GiB for the worker and mapped libraries"
    )
    room = max(0, plan.memory - plan.shared)
    fitting = max(1, room // plan.memory_per_repl)
    if room < plan.slots * plan.memory_per_repl:
        return Check(
            "memory", "warning", found, f"with this much memory use --slots {fitting}, or lower --memory-per-repl"
        )
    if fitting < plan.cores and plan.slots == fitting:
        advice = "cores stay idle: memory has room for no more REPLs; lower --memory-per-repl if your proofs need less"
        return Check("memory", "warning", found, advice)
    return Check("memory", "ok", found)


def files_check(limit: int | None, slots: int) -> Check:
    """Check that the limit of open files allows the pipes of the pool and the connections to Kafka."""
    needed = _FILES_BESIDES + slots * _FILES_PER_SLOT
    found = "open files: no limit" if limit is None else f"open files: {limit}"
    if limit is not None and limit < needed:
        return Check("limits", "warning", found, f"{needed} are needed for {slots} slots: ulimit -n {needed}")
    return Check("limits", "ok", found)


def processes_check(limit: int | None, slots: int) -> Check:
    """Check that the limit of processes allows the REPLs and their threads."""
    needed = _PROCESSES_BESIDES + slots * _PROCESSES_PER_SLOT
    found = "processes: no limit" if limit is None else f"processes: {limit}"
    if limit is not None and limit < needed:
        advice = f"about {needed} are needed for {slots} slots: ulimit -u, or the container's pids limit"
        return Check("limits", "warning", found, advice)
    return Check("limits", "ok", found)


def reservations_check(limits: Sequence[str]) -> Check:
    """Check that Lean may reserve more memory than it uses: 1 GiB of stack for each thread, and its libraries."""
    if limits:
        advice = "a Lean of today may not start, or not import Mathlib, under: " + "; ".join(limits)
        return Check("limits", "warning", "reserved memory is limited", advice)
    return Check("limits", "ok", "reserved memory: no limit")
