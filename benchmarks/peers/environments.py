"""Virtual environments of the other systems, made once and kept outside of this tree; and what stands in for `lake`."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from streamverify.lean.repl.command import ReplCommand

_GENERATE_SECONDS = 180
_NO_PRISMA = '''\
"""In the place of the generated database client: the server imports it, and uses it with a database alone."""


class Prisma:
    pass
'''
_LAKE = """\
#!/bin/sh
# What a server asks of Lake where there is no Lean project: run this, or build what is built.
case "$1" in
    env) shift; exec "$@" ;;
    --version) echo "Lake, or rather a stand-in of streamverify's benchmarks" ;;
esac
"""


def made(folder: Path, packages: Sequence[str]) -> Path:
    """Return the Python of a virtual environment with these arguments of `pip install`, made if it is not there."""
    python = folder / "bin" / "python"
    stamp = folder / ".packages"
    wanted = "\n".join(packages)
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return python
    print(f"installing {' '.join(packages)} into {folder} ...", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input", *packages], check=True
    )
    stamp.write_text(wanted, "utf-8")
    return python


def lean_interact(folder: Path) -> tuple[Path, str]:
    """Return the Python that has LeanInteract from PyPI, and its version."""
    python = made(folder / "lean-interact", ["lean-interact>=0.11"])
    return python, _version(python, "lean-interact")


def kimina(folder: Path, checkout: Path) -> tuple[Path, Mapping[str, str]]:
    """Return the Python that has what the README of kimina's server names, and what its environment needs besides.

    The README's `prisma generate` downloads programs. Where it cannot, the server gets a stand-in for the client of
    the database, which it does not use without one.
    """
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:8]
    python = made(folder / f"kimina-{name}", ["-r", str(checkout / "requirements.txt"), str(checkout)])
    if _has_prisma(python):
        return python, {}
    # The script looks for its generator on the PATH.
    with_generator = {"PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin"}
    try:
        subprocess.run(
            [python, "-m", "prisma", "generate"],
            cwd=checkout, env=with_generator, capture_output=True, timeout=_GENERATE_SECONDS, check=True,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        print(f"prisma generate failed, so kimina's server runs without it: {error}", file=sys.stderr)
    if _has_prisma(python):
        return python, {}
    stand_in = folder / "no-prisma"
    stand_in.mkdir(exist_ok=True)
    (stand_in / "prisma.py").write_text(_NO_PRISMA, "utf-8")
    return python, {"PYTHONPATH": str(stand_in)}


def _has_prisma(python: Path) -> bool:
    return subprocess.run([python, "-c", "from prisma import Prisma"], capture_output=True, check=False).returncode == 0


def _version(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def executable(folder: Path, repl: ReplCommand) -> Path:
    """Write a script that becomes the REPL; it lies where LeanInteract looks for one below `folder`."""
    script = folder / ".lake" / "build" / "bin" / "repl"
    variables = [f"export {name}={shlex.quote(value)}" for name, value in (repl.env or {}).items()]
    _write(script, "\n".join(["#!/bin/sh", *variables, f"exec {shlex.join(repl.argv)}", ""]))
    return script


def lake(folder: Path) -> Path:
    """Write the stand-in for `lake`."""
    script = folder / "bin" / "lake"
    _write(script, _LAKE)
    return script


def _write(script: Path, text: str) -> None:
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(text, "utf-8")
    script.chmod(0o755)
