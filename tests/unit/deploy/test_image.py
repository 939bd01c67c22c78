"""deploy/Dockerfile: who its images run as, what is in them, and that compose asks for what it makes.

`make check-deploy` has dockerfilelint read it. `make check-images` builds and runs what can be built without Docker,
and sees which layers a change of the code changes.
"""

from __future__ import annotations

import re

import pytest
from compose_file import OURS, SERVICES, WORKERS
from support import ROOT

from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.warm_headers import saved_headers_file

# Each stage by its name: what it is made from, and its instructions with their arguments.
STAGES: dict[str, tuple[str, list[tuple[str, str]]]] = {}
TAKEN: set[str] = set()
_TEXT = re.sub(r"^#.*\n|\\\n\s*", "", (ROOT / "deploy" / "Dockerfile").read_text(), flags=re.MULTILINE)
for _line in filter(None, _TEXT.splitlines()):
    _instruction, _, _rest = _line.partition(" ")
    if _instruction == "FROM":
        _base, _name = _rest.split(" AS ")
        STAGES[_name] = (_base, [])
    elif _instruction == "ARG":
        TAKEN.add(_rest.partition("=")[0])
    else:
        STAGES[_name][1].append((_instruction, _rest))
WITH_LEAN = ["core", "mathlib"]
TARGETS = ["stand-in", *WITH_LEAN]


def arguments_of(instruction: str, target: str) -> list[str]:
    """The arguments of this instruction in the stage and in those that it is made from, the last of them first."""
    found = []
    while target in STAGES:
        target, instructions = STAGES[target]
        found += [arguments for name, arguments in reversed(instructions) if name == instruction]
    return found


def test_compose_builds_targets_that_are_there_with_arguments_that_they_take() -> None:
    images: dict[str, str] = {}
    for name in OURS:
        build = SERVICES[name]["build"]
        assert build["dockerfile"] == "deploy/Dockerfile"
        assert set(build["args"]) <= TAKEN
        # One image has one content, whichever service has built it.
        assert images.setdefault(SERVICES[name]["image"], build["target"]) == build["target"]
    assert images == {f"streamverify:{target}": target for target in TARGETS}
    assert [SERVICES[name]["build"]["target"] for name in WORKERS] == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_an_ordinary_user_that_owns_nothing_of_what_verifies(target: str) -> None:
    assert arguments_of("USER", target) == ["10001:10001"] == [SERVICES["worker"]["user"]]
    assert STAGES[target][1][-1][0] == "USER"
    assert not re.search(r"--ch(own|mod)", " ".join(arguments_of("COPY", target)))
    run = " ".join(arguments_of("RUN", target))
    assert "useradd --uid 10001 " in run
    # Nothing has a compiler, and only what has Lean has bubblewrap.
    installed = re.findall(r"apt-get install -y --no-install-recommends ([\w. -]+?) &&", run)
    assert installed == (["bubblewrap"] if target in WITH_LEAN else [])


def test_what_a_worker_remembers_outlives_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """The root file system is read-only: the folder for the state is a volume that the worker's user may write to."""
    monkeypatch.setenv("HOME", arguments_of("WORKDIR", "runtime")[0])
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    file = saved_headers_file(ReplCommand(argv=("lake",), env=None, cwd=None, kind="lean", wrapped=False))
    [made] = [run.split() for run in arguments_of("RUN", "runtime") if run.startswith("install -d -o 10001 -g 10001 ")]
    for name in WORKERS:
        [folder] = (volume.split(":")[1] for volume in SERVICES[name]["volumes"])
        assert file.is_relative_to(folder)
        assert folder in made


def test_libraries_come_from_a_lock_with_hashes_and_as_wheels() -> None:
    for install in re.findall(r"pip install [^&\n]*", _TEXT):
        pinned = "--require-hashes" in install and "--only-binary :all:" in install
        assert pinned or ("--no-deps" in install and "--no-index" in install), install


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    copies = [rest.split()[:-1] for _, stage in STAGES.values() for instruction, rest in stage if instruction == "COPY"]
    copied = {path.removeprefix("./") for paths in copies for path in paths if not paths[0].startswith("--from=")}
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignore[0] == "*"
    assert {f"!{path}" for path in copied} == {line for line in ignore if line.startswith("!")}
    assert all((ROOT / path).exists() for path in copied)
