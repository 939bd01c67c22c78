"""Finds the REPL that the setting `repl` names, and tries whether it works."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import ReplUnavailable
from streamverify.core.messages.models import Verifier
from streamverify.core.messages.versions import lean_version
from streamverify.core.syntax.header import parse_header
from streamverify.lean.repl.command import ProcessLimits, ReplCommand
from streamverify.lean.repl.commands import ImportRejected, ask, import_header
from streamverify.lean.repl.errors import Refused, ReplFailure
from streamverify.lean.repl.memory_watch import memory_watch
from streamverify.lean.repl.resources import available_cores, memory_share, reserved_for_tiers, with_threads
from streamverify.lean.repl.sandbox import confine, missing_inside
from streamverify.lean.repl.session import ReplSession
from streamverify.lean.repl.start_advice import start_advice
from streamverify.lean.repl.usage import can_be_read
from streamverify.setting_sources import PREFIX, settings_files
from streamverify.standins.loop import STAND_IN, VERSION_QUESTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamverify.core.messages.models import VerifierKind
    from streamverify.settings import Settings

__all__ = ["ReplCommand", "configured_repl", "find_repl", "install_record", "known_as", "probe"]

PROBE_TIMEOUT = 60.0
"""Seconds for the first answer of a REPL, which imports no more than Lean's own `Init`."""

LAKE_TIMEOUT = 120.0
"""Seconds for `lake env`, which may have to read a project's configuration for the first time."""

_VERSION_QUESTIONS = (
    VERSION_QUESTION,
    # A Lean of 2021 has no such name.
    '#eval toString Lean.version.major ++ "." ++ toString Lean.version.minor ++ "." ++ toString Lean.version.patch',
)

_STAND_INS = "streamverify.standins"
_SCRIPT = re.compile("^streamverify-|-repl$")
"""The text around the kind of a stand-in in the name of its executable, `streamverify-synthetic-repl`."""
_STAND_IN_KINDS: dict[str, VerifierKind] = {"replay": "replay", "synthetic": "synthetic"}
_MAX_BYTES = 1 << 20
_NOWHERE = (
    "No Lean is installed for streamverify ({record} is not there): run ./setup_lean.sh to install one, or name a "
    "REPL, STREAMVERIFY_REPL='lake env /path/to/repl'; for a trial without Lean, STREAMVERIFY_REPL=replay or synthetic "
    "with STREAMVERIFY_REQUIRE=checked."
)


def install_record() -> Path:
    """Return the path of the file that `setup_lean.sh` writes when it is done.

    One JSON object: `repl` (path of the executable), `project` (path of the Lean project), `env` (what `lake env` adds
    to or changes in the environment, at least LEAN_PATH), `lean_version`, `repl_version`, and `mathlib_version` (null
    for an installation without Mathlib).
    """
    if home := os.environ.get("STREAMVERIFY_LEAN_HOME"):
        return Path(home, "install.json")
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data, "streamverify", "lean", "install.json")


async def find_repl(setting: str, lean_project: Path | None) -> ReplCommand:
    """Return the command for `auto`, `replay[:FILE]`, `synthetic [FLAGS]`, or a command line.

    A command line gets the environment of `lake env` in `lean_project`, asked for once, and is started directly there.

    Raises:
        ReplUnavailable: It is not there or cannot be executed; the text says what to do.
    """
    words = _words(setting)
    if setting == "auto":
        return _installed(install_record())
    if words[0] == "synthetic":
        return _stand_in("synthetic", words[1:])
    if setting == "replay" or setting.startswith("replay:"):
        file = setting.removeprefix("replay").removeprefix(":")
        return _stand_in("replay", [_recordings(file)] if file else [])
    return await _configured(words, lean_project)


async def configured_repl(
    settings: Settings, *, slots: int, spares: int = 0, found: ReplCommand | None = None
) -> ReplCommand:
    """Return the REPL that the settings name, limited and confined, for a worker that runs `slots` of them.

    Args:
        settings: What is configured.
        slots: Proofs at once, which share the cores.
        spares: Processes beyond those, which share the memory.
        found: What `find_repl` found for the same settings; None: look now.

    Raises:
        ReplUnavailable: It is not there, the sandbox that is asked for is not to be had, or the memory of what it
            starts cannot be seen.
    """
    if not can_be_read():
        raise ReplUnavailable(
            "The memory of REPLs cannot be watched here: /proc must be mounted, of Linux 4.5 or newer with "
            "CONFIG_PROC_CHILDREN (/proc/self/task/*/children is not there)."
        )
    command = found or await find_repl(settings.repl, settings.lean_project)
    asked = settings.memory_per_repl
    memory = memory_share(command, slots + spares + reserved_for_tiers(settings)) if asked == "auto" else int(asked)
    # Spares wait, so they share no cores.
    cores = max(1.0, available_cores() / slots)
    limits = ProcessLimits(memory=memory, cores=cores)
    read = [Path(part) for part in settings.sandbox_read.split(os.pathsep) if part]
    command = replace(with_threads(command, int(cores)), limits=limits)
    return await confine(command, mode=settings.sandbox, read=read, hide=settings_files())


async def probe(command: ReplCommand) -> Verifier:
    """Start the REPL once: it must answer a blank header and the channel check, and say what it is.

    A Lean is what names its version. A stand-in names itself, also where a command line or a script started it.

    Raises:
        ReplUnavailable: With what it said last, and, where only the sandbox is in its way, what to let in; or it is no
            stand-in and does not name its version, so that nobody could know whose verdicts they are.
    """
    try:
        return await _probe(command)
    except ReplUnavailable as refusal:
        raise await _add_advice(command, refusal) from refusal


def known_as(command: ReplCommand, verifier: Verifier) -> ReplCommand:
    """Return the command with the kind that its REPL has said: a command line counts as a Lean until then."""
    return replace(command, kind=_STAND_IN_KINDS.get(verifier.kind, "lean"))


async def _probe(command: ReplCommand) -> Verifier:
    session: ReplSession | None = None
    try:
        session = ReplSession(command, max_answer_bytes=_MAX_BYTES)
        env = await import_header(session, parse_header(""), timeout=PROBE_TIMEOUT, ask_lean=False)
        said = await _who_answers(session, env)
        # Its answers may come before the watch has looked at its memory for the first time.
        memory_watch().look()
        if session.failure is not None:
            raise session.failure
    except (ReplFailure, ImportRejected) as error:
        raise ReplUnavailable(_why(command, error, session)) from error
    finally:
        if session is not None:
            await session.close()
    kind = _STAND_IN_KINDS.get(said.removeprefix(STAND_IN)) if said.startswith(STAND_IN) else "lean"
    if kind is None or (kind == "lean" and lean_version(said) is None):
        raise ReplUnavailable(
            f"The REPL `{shlex.join((command.outside or command).argv)}` answers and does not name the version of its "
            f"Lean (`{VERSION_QUESTION}` gives {said[:60]!r}): it may be no Lean at all, so no worker starts on it."
        )
    return Verifier(
        kind=kind,
        sandbox=command.sandbox,
        lean_version=said if kind == "lean" else None,
        repl_version=command.repl_version,
        mathlib_version=command.mathlib_version,
    )


async def _who_answers(session: ReplSession, env: int) -> str:
    """Return Lean's version, or what a stand-in calls itself; "" where the REPL does not say."""
    for question in _VERSION_QUESTIONS:
        with suppress(Refused):
            messages = (await ask(session, env, question, PROBE_TIMEOUT, refused=Refused)).messages
            # One version has no such name, another no `#eval` without an import: then there is an error.
            said = str(messages[0]["data"]).strip().strip('"') if len(messages) == 1 else ""
            if said and messages[0]["severity"] == "info":
                return said
    return ""


def _why(command: ReplCommand, error: Exception, session: ReplSession | None) -> str:
    said = b"" if session is None else session.stderr.read()
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    # Not twice: the last line may be what the error quotes.
    last = f" It said last: {lines[-1].strip()[:200]}" if lines and lines[-1].strip()[:60] not in str(error) else ""
    advice = start_advice(error, command)
    return f"The REPL `{shlex.join((command.outside or command).argv)}` does not work: {error}{last}{advice}"


async def _add_advice(command: ReplCommand, refusal: ReplUnavailable) -> ReplUnavailable:
    """Return the refusal, with a cure where the REPL fails in the sandbox and works outside of it."""
    # Where a limit was met, that is the cause, inside and outside alike.
    if command.outside is None or start_advice(refusal.__cause__, command):
        return refusal
    try:
        await probe(command.outside)
    except ReplUnavailable as failure:
        return failure
    missing = missing_inside(command, str(refusal))
    add = os.pathsep.join(missing) or "the folders that it reads"
    said = str(refusal).rstrip(".")
    return ReplUnavailable(
        f"{said}. Outside the sandbox it works: set STREAMVERIFY_SANDBOX_READ to {add} (readable by every user), or "
        "STREAMVERIFY_SANDBOX=none, which runs proofs unconfined."
    )


def _words(setting: str) -> list[str]:
    try:
        words = shlex.split(setting)
    except ValueError as error:
        raise ReplUnavailable(f"The setting repl={setting!r} is no command line: {error}.") from error
    if not words:
        raise ReplUnavailable("The setting repl is empty: it names a REPL, or is auto, replay or synthetic.")
    return words


def _installed(file: Path) -> ReplCommand:
    try:
        installed = json.loads(file.read_bytes())
        repl, project = Path(installed["repl"]), Path(installed["project"])
        added = {str(name): str(value) for name, value in installed.get("env", {}).items()}
    except FileNotFoundError as error:
        raise ReplUnavailable(_NOWHERE.format(record=file)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReplUnavailable(f"{file} cannot be read ({error!r}): run ./setup_lean.sh again.") from error
    if not os.access(repl, os.X_OK) or not project.is_dir():
        raise ReplUnavailable(f"{file} names {repl} and {project}, of which one is gone: run ./setup_lean.sh again.")
    return ReplCommand(
        argv=(str(repl),),
        # What is recorded is all of Lean's own; what the shell has of it may be another Lean's.
        env=_environment(added, without=("ELAN_", "LEAN_", "LAKE")),
        cwd=project,
        kind="lean",
        wrapped=False,
        repl_version=_text(installed.get("repl_version")),
        mathlib_version=_text(installed.get("mathlib_version")),
    )


def _stand_in(kind: Any, flags: Sequence[str]) -> ReplCommand:
    argv = (sys.executable, "-m", f"{_STAND_INS}.{kind}", *flags)
    return ReplCommand(argv=argv, env=_environment({}), cwd=None, kind=kind, wrapped=False)


async def _configured(words: Sequence[str], lean_project: Path | None) -> ReplCommand:
    by_lake = list(words[:2]) == ["lake", "env"]
    words = words[2:] if by_lake else words
    if not words:
        raise ReplUnavailable("`lake env` alone is no REPL: add the path of its executable.")
    if lean_project is not None and not lean_project.is_dir():  # noqa: ASYNC240 - one look, before anything runs
        raise ReplUnavailable(
            f"The Lean project {lean_project} is not there: set STREAMVERIFY_LEAN_PROJECT to its folder."
        )
    added = await _lake_env(lean_project) if by_lake or lean_project is not None else {}
    environment = _environment(added)
    # Started directly: a `lake` that stays above Lean would be one process more to limit, to watch and to kill.
    executable = _executable(words[0], environment, lean_project)
    return ReplCommand(
        argv=(executable, *words[1:]),
        env=environment,
        cwd=lean_project,
        # A guess until it is asked (`probe`): no sandbox for a stand-in, whose Python lies where no Lean would look.
        kind=_STAND_IN_KINDS.get(_SCRIPT.sub("", Path(executable).name), "lean"),
        # It may be anybody's script.
        wrapped=True,
        repl_version=_version_in(lean_project, "REPL"),
        mathlib_version=_version_in(lean_project, "mathlib"),
    )


def _version_in(project: Path | None, package: str) -> str | None:
    """Return the version of a package in the project's manifest: the one that was asked for, else the commit."""
    if project is None:
        return None
    try:
        packages = json.loads((project / "lake-manifest.json").read_bytes())["packages"]
        found: dict[str, Any] = next((each for each in packages if each["name"].casefold() == package.casefold()), {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return _text(found.get("inputRev") or found.get("rev"))


def _executable(name: str, environment: Mapping[str, str], folder: Path | None) -> str:
    """Return the absolute path of an executable: a name is looked up, a relative path is the project's."""
    if "/" in name:
        path = Path(folder or "", name).absolute()
        if not path.is_file():
            raise ReplUnavailable(f"The REPL {path} is not there: check the setting repl.")
        if not os.access(path, os.X_OK):
            raise ReplUnavailable(f"The REPL {path} cannot be executed: chmod +x it, or check the setting repl.")
        return str(path)
    # On the PATH that the REPL gets: `lake env` puts the toolchain's own programs on it.
    found = shutil.which(name, path=environment.get("PATH"))
    if found is None:
        raise ReplUnavailable(f"The REPL {name} is not on the PATH: give its path in the setting repl.")
    return found


async def _lake_env(project: Path | None) -> dict[str, str]:
    """Return the environment that `lake env` gives in the project."""
    lake = shutil.which("lake")
    if lake is None:
        raise ReplUnavailable(
            "`lake` is not on the PATH: install elan (./setup_lean.sh does), or unset STREAMVERIFY_LEAN_PROJECT."
        )
    process = await asyncio.create_subprocess_exec(
        lake,
        "env",
        "env",
        "-0",
        cwd=project,
        env=_environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    # In a session of its own, so that what lake starts (elan, git, curl) ends with it.
    try:
        out, err = await asyncio.wait_for(process.communicate(), LAKE_TIMEOUT)
    except TimeoutError as error:
        raise ReplUnavailable(f"`lake env` in {project} did not end within {LAKE_TIMEOUT:.0f} s.") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode:
        last = err.decode("utf-8", "replace").strip()[-300:]
        raise ReplUnavailable(f"`lake env` in {project} failed: {last}")
    pairs = (entry.partition("=") for entry in os.fsdecode(out).split("\0") if "=" in entry)
    return {name: value for name, _, value in pairs}


def _environment(added: Mapping[str, str], without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return our environment without our own settings, which may hold a broker's password that no proof should read.

    Lean aborts where it panics (docs/decisions/0011): else it goes on with a default value, and answers.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, *without))}
    return {**ours, **added, "LEAN_ABORT_ON_PANIC": "1"}


def _recordings(file: str) -> str:
    """Return the absolute path of a file of recordings: a REPL is started in another folder."""
    path = Path(file).absolute()
    if not path.is_file():
        raise ReplUnavailable(f"The recordings {path} are not there: check the setting repl=replay:{file}.")
    return str(path)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
