"""deploy/Dockerfile: who its images run as, what is in them, and that compose asks for what it makes.

`make check-deploy` has dockerfilelint read it. `make check-images` builds and runs what can be built without Docker,
and sees which layers a change of the code changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from compose_file import OURS, SERVICES, port_of
from support import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
TARGETS = ("stand-in", "core", "mathlib")
WITH_LEAN = ("core", "mathlib")


@dataclass
class Stage:
    """One stage: what it is made from, and its instructions."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, name: str) -> list[str]:
        """The arguments of the instructions of this name."""
        return [arguments for instruction, arguments in self.instructions if instruction == name]


def read() -> tuple[dict[str, str], dict[str, Stage]]:
    """The arguments before the first stage, and the stages by name."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", "", text)
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in filter(None, text.splitlines()):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            base, name = rest.split(" AS ")
            stage = Stage(re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base))
            stages[name] = stage
        elif stage is None:
            name, _, value = rest.partition("=")
            arguments[name] = value
        else:
            stage.instructions.append((instruction, rest))
    return arguments, stages


ARGUMENTS, STAGES = read()


def lineage(name: str) -> list[str]:
    """The stage and those that it is made from, the first of them first."""
    found = [name]
    while STAGES[found[0]].base in STAGES:
        found.insert(0, STAGES[found[0]].base)
    return found


def copied_from_here(stages: set[str]) -> set[str]:
    """The files and folders of this repository that the stages copy."""
    found = set()
    for stage in stages:
        for arguments in STAGES[stage].of("COPY"):
            if not arguments.startswith("--from="):
                found |= {path.removeprefix("./") for path in arguments.split()[:-1]}
    return found


def test_compose_builds_targets_that_are_there_with_arguments_that_they_take() -> None:
    taken = {name.partition("=")[0] for stage in STAGES.values() for name in stage.of("ARG")} | set(ARGUMENTS)
    images: dict[str, str] = {}
    for name in OURS:
        build = SERVICES[name]["build"]
        assert build["dockerfile"] == "deploy/Dockerfile"
        assert build["target"] in TARGETS
        assert set(build["args"]) <= taken
        # One image has one content, whichever service has built it.
        assert images.setdefault(SERVICES[name]["image"], build["target"]) == build["target"]
    assert set(images.values()) == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_an_ordinary_user_that_owns_nothing_of_what_verifies(target: str) -> None:
    users = [user for stage in lineage(target) for user in STAGES[stage].of("USER")]
    assert users == ["10001:10001"]
    assert STAGES[target].instructions[-1] == ("USER", "10001:10001")
    assert not re.search(r"--ch(own|mod)", " ".join(STAGES[target].of("COPY")))
    assert SERVICES["worker"]["user"] == users[0]
    made = " ".join(run for stage in lineage(target) for run in STAGES[stage].of("RUN"))
    assert "useradd --uid 10001 " in made


@pytest.mark.parametrize("target", TARGETS)
def test_only_what_has_lean_has_bubblewrap_and_nothing_has_a_compiler(target: str) -> None:
    installed = re.findall(
        r"apt-get install -y --no-install-recommends ([\w. -]+?) &&",
        " ".join(run for stage in lineage(target) for run in STAGES[stage].of("RUN")),
    )
    assert installed == (["bubblewrap"] if target in WITH_LEAN else [])


def test_libraries_come_from_a_lock_with_hashes_and_as_wheels() -> None:
    for stage in STAGES.values():
        for run in stage.of("RUN"):
            for install in re.findall(r"pip install [^&]*", run):
                pinned = "--require-hashes" in install and "--only-binary :all:" in install
                assert pinned or ("--no-deps" in install and "--no-index" in install), install


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    copied = copied_from_here(set(STAGES))
    assert ignore[0] == "*"
    assert {f"!{path}" for path in copied} == {line for line in ignore if line.startswith("!")}
    for path in copied:
        assert (ROOT / path).exists()


def test_the_ports_of_the_image_are_those_that_are_listened_on() -> None:
    [exposed] = STAGES["runtime"].of("EXPOSE")
    assert {int(port) for port in exposed.split()} == {port_of(name) for name in OURS if name != "topics"}
