"""Confines a REPL with bubblewrap, so that a proof that runs code reaches nothing.

Inside there is no network, no other process, no home and no environment of the worker's; libraries and toolchain can
be read, a bounded private /tmp can be written, nothing else. `docs/sandbox.md` says what is let in and why. The driver
knows nothing of this: a confined REPL is another command line.
"""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import structlog

from streamverify.core.errors import ReplUnavailable
from streamverify.lean.repl import exec_wrapper
from streamverify.lean.repl.errors import ReplFailure
from streamverify.lean.repl.process import run_to_end
from streamverify.lean.repl.seccomp import filter_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streamverify.lean.repl.command import ReplCommand

SandboxMode = Literal["auto", "bwrap", "none"]

TRIAL_TIMEOUT = 20.0
"""Seconds for a command inside that does nothing."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
_TOO_WIDE = ("/", "/home", "/tmp", "/var", "/var/tmp", "/etc", "/run", "/opt", "/mnt", "/srv")  # noqa: S108 - no file is made
_NEVER = ("/proc", "/dev", "/sys")

_KEPT = frozenset({"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"})
_KEPT_PREFIXES = ("LEAN_", "LAKE", "ELAN_")

_INSIDE = 'u=$1; shift; { ulimit -p "$u" 2>/dev/null || ulimit -u "$u"; } || exit 126; exec "$@"'
"""The shell's part: processes are counted in the user namespace, or for the user, that only exists inside.

Shells differ in the letter of this limit.
"""

_log = structlog.get_logger(__name__)


async def confine(
    command: ReplCommand, *, mode: SandboxMode, read: Sequence[Path] = (), hide: Sequence[Path] = ()
) -> ReplCommand:
    """Return the command as the setting `sandbox` wants it.

    Args:
        command: Found by `find_repl`.
        mode: `bwrap` or `none` by name; `auto` confines a Lean where bubblewrap works here. The stand-ins run nothing
            that a proof says, and are confined only by name.
        read: More folders and files that can be read inside.
        hide: Files that cannot be read inside, wherever they lie: settings, which may hold a broker's password.

    Raises:
        ReplUnavailable: The sandbox is asked for by name and does not work here, or `read` cannot be let in.
    """
    if mode == "none" or (mode == "auto" and command.kind != "lean"):
        return command
    bwrap, setpriv = shutil.which("bwrap"), shutil.which("setpriv")
    if bwrap is None:
        return _without(command, mode, "bubblewrap is not installed (apt-get install bubblewrap)")
    # A worker that is root needs it to become another user inside: else the proof would be root.
    if setpriv is None and os.geteuid() == 0:
        return _without(command, mode, "setpriv is not installed (apt-get install util-linux)")
    confined = inside(command, bwrap, setpriv if os.geteuid() == 0 else None, _checked(read), hide)
    trouble = await _trial(replace(confined, argv=(*confined.argv[: -len(command.argv)], "/bin/true")))
    if trouble is not None:
        return _without(command, mode, trouble)
    _log.info("sandbox", sandbox="bwrap", reads=[str(path) for path in readable(command, read)])
    return confined


def inside(
    command: ReplCommand, bwrap: str, setpriv: str | None, read: Sequence[Path] = (), hide: Sequence[Path] = ()
) -> ReplCommand:
    """Return the same REPL in the sandbox.

    Args:
        command: As it would be started outside.
        bwrap: The executable.
        setpriv: The executable for a worker that is root: it enters the namespaces as root, so that it may bind what
            only root can reach, and becomes a user of its own inside. None: a user namespace makes it nobody.
        read: More folders and files that can be read inside.
        hide: Files that cannot be read inside.
    """
    let_in = readable(command, read)
    # A shell cannot set more than the hard limit here.
    hard, wanted = resource.getrlimit(resource.RLIMIT_NPROC)[1], command.limits.processes
    processes = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    # Where the system calls of a machine are not listed, namespaces and the unprivileged user confine alone.
    seccomp = filter_program(platform.machine()) or b""
    argv = (
        bwrap,
        *("--die-with-parent", "--new-session", "--unshare-net", "--unshare-pid", "--unshare-ipc"),
        *("--unshare-uts", "--hostname", "sandbox", "--unshare-cgroup-try"),
        *_system(),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        # Before what is bound below it.
        *("--perms", "1777", "--size", str(command.limits.file_size), "--tmpfs", "/tmp"),  # noqa: S108 - inside
        *(word for path in _parents(let_in) for word in ("--perms", "0755", "--dir", str(path))),
        *(word for path in let_in for word in ("--ro-bind", str(path), str(path))),
        *(word for path in _below(let_in, hide) for word in ("--ro-bind", "/dev/null", str(path))),
        # Last, when all mount points are made.
        *("--remount-ro", "/", "--chdir", str(command.cwd or "/tmp")),  # noqa: S108 - inside
        *(("--seccomp", exec_wrapper.FILTER_FD) if seccomp else ()),
        *_as_nobody(setpriv),
        *("/bin/sh", "-c", _INSIDE, "sh", str(processes)),
        *command.argv,
    )
    return replace(
        command,
        argv=argv,
        env=_environment(command),
        cwd=None,
        wrapped=True,
        sandbox="bwrap",
        seccomp=seccomp,
        outside=command,
    )


def readable(command: ReplCommand, read: Iterable[Path] = ()) -> list[Path]:
    """Return the paths that are let in beside the system's libraries: the outermost that Lean needs, and `read`."""
    environment = os.environ if command.env is None else command.env
    wanted = [*read, *of_executable(Path(command.argv[0])), *_of_lean(command, environment)]
    if command.kind != "lean":
        # A stand-in needs this Python, its libraries and this package.
        wanted += [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]]
    # By both names: the command line may have the one, Lean's own messages and paths the other.
    paths = {place for path in wanted if path.is_absolute() and path.exists() for place in (path, path.resolve())}
    found: list[Path] = []
    for path in sorted(paths, key=lambda path: len(path.parts)):
        covered = [*map(Path, _SYSTEM), *found]
        if not any(path.is_relative_to(folder) for folder in covered):
            found.append(path)
    return found


def _parents(paths: Iterable[Path]) -> list[Path]:
    """Return the folders that lead there, outermost first: bubblewrap would make them for its own user only."""
    made = {Path(folder) for folder in ("/", "/tmp", "/etc")}  # noqa: S108 - inside
    folders = {folder for path in paths for folder in path.parents} - made
    return sorted(folders, key=lambda folder: len(folder.parts))


def _below(folders: Sequence[Path], files: Iterable[Path]) -> list[Path]:
    """Return the files that would be seen inside, by each name that they have there."""
    names = {name for file in files if file.is_file() for name in (file.absolute(), file.resolve())}
    return sorted(name for name in names if any(name.is_relative_to(folder) for folder in folders))


def missing_inside(command: ReplCommand, said: str) -> list[str]:
    """Return the paths in the words of a REPL that exist here and were not let in."""
    if command.outside is None:
        return []
    words = (word.strip("'\"`:;,.()") for word in said.split())
    found = dict.fromkeys(word for word in words if word.startswith("/") and Path(word).exists())
    let_in = [*map(Path, (*_SYSTEM, *_NEVER)), *readable(command.outside)]
    return [
        path
        for path in found
        if path not in _TOO_WIDE and not any(Path(path).is_relative_to(folder) for folder in let_in)
    ]


def _without(command: ReplCommand, mode: SandboxMode, why: str) -> ReplCommand:
    if mode == "bwrap":
        raise ReplUnavailable(
            f"sandbox=bwrap is asked for and cannot be had: {why}. See docs/sandbox.md; STREAMVERIFY_SANDBOX=none runs "
            "proofs unconfined."
        )
    _log.warning("sandbox_unavailable", sandbox="none", why=why, hint="proofs run unconfined; see docs/sandbox.md")
    return command


def _checked(read: Sequence[Path]) -> Sequence[Path]:
    for path in read:
        if not path.is_absolute() or not path.exists():
            raise ReplUnavailable(f"sandbox_read names {path}, which is no absolute path of something that is there.")
        if path.resolve() == Path("/") or any(path.resolve().is_relative_to(folder) for folder in _NEVER):
            raise ReplUnavailable(f"sandbox_read names {path}, which would undo the sandbox: name what Lean needs.")
    return read


async def _trial(confined: ReplCommand) -> str | None:
    """Return the reason why a confined command does not run here; None where it does."""
    try:
        returncode, stderr = await asyncio.wait_for(run_to_end(confined), TRIAL_TIMEOUT)
    except ReplFailure as error:
        return str(error)
    except TimeoutError:
        return f"a trial did not end within {TRIAL_TIMEOUT:.0f} s"
    if returncode == 0:
        return None
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"a trial ended with exit status {returncode}"


def _system() -> Iterator[str]:
    """Yield the options for the system's programs and libraries: Lean needs the C library, a wrapper script a shell."""
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    yield from ("--perms", "0755", "--dir", "/etc")
    for name in _SYSTEM_FILES:
        yield from ("--ro-bind-try", name, name)


def _as_nobody(setpriv: str | None) -> tuple[str, ...]:
    """Return the options by which the command is no user that owns anything outside."""
    if setpriv is None:
        return ("--unshare-user", "--uid", "65534", "--gid", "65534", "--")
    return (
        *("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP", "--"),
        *(setpriv, "--reuid", exec_wrapper.OWN_UID, "--regid", exec_wrapper.OWN_UID, "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--"),
    )


def _environment(command: ReplCommand) -> dict[str, str]:
    ours = os.environ if command.env is None else command.env
    prefixes = _KEPT_PREFIXES if command.kind == "lean" else (*_KEPT_PREFIXES, "PYTHON")
    kept = {name: value for name, value in ours.items() if name in _KEPT or name.startswith(prefixes)}
    return {**kept, "HOME": "/tmp"}  # noqa: S108 - inside


def of_executable(executable: Path) -> list[Path]:
    """Return its folder, or itself where the folder is one for everything; the same of the file that it links to."""
    files, home = (executable, executable.resolve()), Path.home()
    return [
        file if str(file.parent) in _TOO_WIDE or home.is_relative_to(file.parent) else file.parent for file in files
    ]


def _of_lean(command: ReplCommand, environment: Mapping[str, str]) -> list[Path]:
    names = ("LEAN_PATH", "LEAN_SRC_PATH", "LD_LIBRARY_PATH", "LEAN_SYSROOT", "ELAN_HOME")
    listed = [Path(part) for name in names for part in environment.get(name, "").split(os.pathsep) if part]
    elan = [Path.home() / ".elan"] if command.kind == "lean" else []
    project = [] if command.cwd is None else [command.cwd]
    return [*project, *elan, *(Path(command.cwd or "", path) for path in listed)]
