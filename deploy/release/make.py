"""Builds a release and tries it: `make release`. It publishes nothing, and changes no file of the checkout but dist/.

    python -m release.make            a rehearsal, into dist/rehearsal: what hinders a release is said, and it goes on
    python -m release.make --final    a release, into dist/VERSION: what hinders it ends it with 1

What it makes: the source package, the wheel, the SBOM of what the images install (CycloneDX), the notes of the version
from CHANGELOG.md, and the SHA-256 sums of all. What it checks is in docs/release.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path, PurePosixPath

from packaging.version import InvalidVersion, Version

from release.changelog import notes_of
from release.licences import for_images, for_users, refused
from release.project import BUILD_LOCK, IN_IMAGES, LOCK, NAME, ROOT, asked_for, build_requirements, lock_problems
from release.sbom import complete, lacks
from streamverify.version import __version__

BIN = Path(sys.executable).parent
ALONE = {"PATH": os.defpath, "HOME": "/nonexistent", "LANG": "C.UTF-8"}
"""The environment of who has nothing of ours."""


class NotFitError(Exception):
    """What was made is not fit for a release; the message says why."""


def say(text: str) -> None:
    """Tell the person who waits."""
    print(f"release: {text}", file=sys.stderr, flush=True)


def run(*argv: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run a command to its end.

    Returns:
        What it wrote on stdout.

    Raises:
        NotFitError: It failed; with what it said.
    """
    ran = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env=env, text=True, capture_output=True, check=False, timeout=900
    )
    if ran.returncode:
        raise NotFitError(f"`{' '.join(map(str, argv))}` ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def hindrances() -> list[str]:
    """Say what of the checkout speaks against a release."""
    found = []
    notes = notes_of((ROOT / "CHANGELOG.md").read_text(), __version__)
    if notes.problem:
        found.append(notes.problem)
    try:
        if Version(__version__).is_devrelease or str(Version(__version__)) != __version__:
            found.append(f"{__version__} in streamverify/version.py is no version of a release")
    except InvalidVersion:
        found.append(f"{__version__} in streamverify/version.py is no version")
    if run("git", "status", "--porcelain"):
        found.append("there are changes that are not committed")
    tags = run("git", "tag", "--points-at", "HEAD").split()
    if f"v{__version__}" not in tags:
        found.append(f"the commit has no tag v{__version__}")
    return found


def check_dependencies() -> None:
    """Refuse a lock that does not go with pyproject.toml, and licences that we do not take."""
    problems = lock_problems(LOCK.read_text(), asked_for(IN_IMAGES))
    problems += lock_problems(BUILD_LOCK.read_text(), build_requirements())
    if problems:
        raise NotFitError("the locks are not those of pyproject.toml (make lock): " + "; ".join(problems))
    if not_allowed := refused(for_images() | for_users()):
        raise NotFitError("licences that are not allowed: " + "; ".join(not_allowed))


def build(folder: Path) -> tuple[Path, Path]:
    """Build the source package, and from it the wheel, with the locked build tool.

    Returns:
        The paths of the two.
    """
    when = run("git", "log", "-1", "--format=%ct").strip()
    environment = os.environ | {"SOURCE_DATE_EPOCH": when}
    run(
        *(BIN / "uv", "build", "--quiet", "--out-dir", folder),
        *("--build-constraints", BUILD_LOCK, "--require-hashes"),
        env=environment,
    )
    # uv puts one there.
    (folder / ".gitignore").unlink(missing_ok=True)
    [source], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    run(BIN / "twine", "check", "--strict", source, wheel)
    return source, wheel


def check_contents(source: Path, wheel: Path) -> None:
    """Refuse packages that lack a file of ours, or have one that is not under version control."""
    ours = set(run("git", "ls-files", NAME).splitlines())
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name for name in archive.namelist() if f"{NAME}-{__version__}.dist-info" not in PurePosixPath(name).parts
        }
    if packed != ours:
        raise NotFitError(f"the wheel lacks {_some(ours - packed)} and has besides {_some(packed - ours)}")
    with tarfile.open(source) as archive_of_source:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix() for name in archive_of_source.getnames()}
    tracked = set(run("git", "ls-files").splitlines()) | {"PKG-INFO", "."}
    lacking = (ours | {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}) - names
    foreign = {name for name in names - tracked if not any(path.startswith(f"{name}/") for path in tracked)}
    if lacking or foreign:
        raise NotFitError(
            f"the source package lacks {_some(lacking)} and has besides what is not under version control: "
            f"{_some(foreign)}; commit or remove it"
        )


def _some(names: set[str]) -> str:
    """Name at most five of them."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004
    return (", ".join(sorted(names)[:5]) or "nothing") + more


def try_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel into an empty environment outside of the checkout, and have proofs verified there.

    First without extras, in which nothing of Faust may come along; then with the broker in memory, for `demo`.
    """
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    pip = (environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input")
    command = environment / "bin" / NAME
    run(*pip, "install", "--quiet", wheel, cwd=folder)
    said = run(command, "--version", cwd=folder, env=ALONE)
    if said.split() != [NAME, __version__]:
        raise NotFitError(f"`{NAME} --version` says {said!r}")
    installed = {package["name"].lower() for package in json.loads(run(*pip, "list", "--format=json", cwd=folder))}
    if came := sorted(name for name in installed if "faust" in name):
        raise NotFitError(f"an installation without extras has {came}")
    run(*pip, "install", "--quiet", f"{NAME}[embedded] @ {wheel.resolve().as_uri()}", cwd=folder)
    run(*pip, "check", cwd=folder)
    home = folder / "home"
    home.mkdir()
    told = run(command, "demo", "--repl", "replay", cwd=folder, env=ALONE | {"HOME": str(home), "COLUMNS": "120"})
    if "verified" not in told:
        raise NotFitError(f"`{NAME} demo` verified nothing:\n{told}")


def make_sbom(wheel: Path, folder: Path, target: Path) -> None:
    """Write the bill of materials of what the images install: the lock, hash by hash, and the wheel.

    It is made of a real environment, so that it has licences and what needs what; cyclonedx-py validates it.
    """
    environment = folder / "locked"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    run(BIN / "uv", "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", LOCK)
    run(BIN / "uv", "pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    run(
        *(BIN / "cyclonedx-py", "environment", python, "--pyproject", ROOT / "pyproject.toml"),
        *("--output-reproducible", "--validate", "--output-format", "JSON", "--output-file", target),
        env=os.environ | {"SOURCE_DATE_EPOCH": run("git", "log", "-1", "--format=%ct").strip()},
    )
    bom = json.loads(target.read_text())
    complete(bom, NAME, __version__, for_images())
    if lacking := lacks(bom, for_images()):
        raise NotFitError("the SBOM lacks " + ", ".join(lacking))
    text = json.dumps(bom, indent=2) + "\n"
    # Again, for what was added; the library comes with cyclonedx-py.
    check = "import sys; from cyclonedx.validation.json import *; from cyclonedx.schema import SchemaVersion as V; "
    check += (
        "error = JsonStrictValidator(V.V1_6).validate_str(open(sys.argv[1]).read()); sys.exit(error and str(error))"
    )
    target.write_text(text)
    run(sys.executable, "-c", check, target)


def make(folder: Path) -> None:
    """Make and check everything, in a folder that is empty before."""
    check_dependencies()
    say("building")
    source, wheel = build(folder)
    check_contents(source, wheel)
    with tempfile.TemporaryDirectory(prefix="streamverify-release-") as name:
        scratch = Path(name)
        say("trying the wheel in an empty environment")
        try_wheel(wheel, scratch)
        say("making the SBOM")
        make_sbom(wheel, scratch, folder / f"{NAME}-{__version__}.cdx.json")
    notes = notes_of((ROOT / "CHANGELOG.md").read_text(), __version__)
    (folder / f"{NAME}-{__version__}.notes.md").write_text(notes.text + "\n")
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums))


def main(arguments: list[str]) -> int:
    """Make a release, or rehearse one."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__.partition("\n")[0])
    parser.add_argument("--final", action="store_true", help="end with 1 where something hinders a release")
    final = parser.parse_args(arguments).final
    began = time.monotonic()
    folder = ROOT / "dist" / (__version__ if final else "rehearsal")
    try:
        found = hindrances()
        if not (found and final):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            make(folder)
    except (NotFitError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        say(f"no release: {error}")
        return 1
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        say("interrupted; nothing is left of it")
        return 130
    for hindrance in found:
        say(f"{'no release' if final else 'a rehearsal only'}: {hindrance}")
    if found and final:
        return 1
    for file in sorted(folder.iterdir()):
        print(f"{file.stat().st_size:>10}  {file.name}")
    took = time.monotonic() - began
    say(f"{folder.relative_to(ROOT)} has {NAME} {__version__}, after {took:.0f} s; nothing is published")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
