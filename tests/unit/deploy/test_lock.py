"""The locks of the images, and what an installation brings with it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from release.licences import ALLOWED, PAGE, UNKNOWN, for_images, for_users, is_allowed, page, refused
from release.project import (
    BUILD_LOCK,
    FOR_DEVELOPERS,
    IN_IMAGES,
    LOCK,
    asked_for,
    build_requirements,
    closure,
    extras,
    in_images,
    lock_problems,
    read_lock,
)
from support import ROOT

HASH = "--hash=sha256:" + "0" * 64


def test_the_lock_has_what_the_images_ask_for_within_the_bounds_and_with_hashes() -> None:
    assert lock_problems(LOCK.read_text(), asked_for(IN_IMAGES)) == [], "make lock"


def test_make_lock_locks_the_extras_of_the_images() -> None:
    rule = (ROOT / "Makefile").read_text().partition("\nlock: ")[2].partition("\n\n")[0]
    assert re.findall(r"--extra (\w+)", rule) == list(IN_IMAGES)


def test_the_build_tool_is_locked_too() -> None:
    assert lock_problems(BUILD_LOCK.read_text(), build_requirements()) == [], "make lock"


def test_the_lock_has_nothing_that_nobody_asks_for() -> None:
    extra = {entry.name for entry in in_images(read_lock(LOCK.read_text()))} - closure(asked_for(IN_IMAGES))
    # `closure` goes by what is installed here, which may be newer, and of an older Python.
    assert extra <= {"tzdata", "async-timeout"}, "make lock"


@pytest.mark.parametrize(
    ("lock", "problem"),
    [
        (f"one==1.0 \\\n    {HASH}", "two>=2 is not in it"),
        (f"one==1.0 \\\n    {HASH}\ntwo==1.9 \\\n    {HASH}", "two>=2 is asked for, and 1.9 is in it"),
        (f"one==1.0\ntwo==2.0 \\\n    {HASH}", "one has no hash"),
        (f"one==1.0 \\\n    {HASH}\ntwo==2.0 ; sys_platform == 'win32' \\\n    {HASH}", "two>=2 is not in it"),
    ],
)
def test_what_is_wrong_with_a_lock_is_found(lock: str, problem: str) -> None:
    assert lock_problems(lock, [Requirement("one"), Requirement("two>=2")]) == [problem]


def test_a_line_of_a_lock_that_pins_nothing_is_refused() -> None:
    for line in ("one>=1", "one @ https://example.org/one.whl", "-r other.txt", "--index-url https://example.org"):
        with pytest.raises(ValueError, match="no name with a version"):
            read_lock(line)


def test_the_locks_name_no_registry() -> None:
    for lock in (LOCK, BUILD_LOCK):
        assert "://" not in lock.read_text()


def test_an_installation_without_extras_has_no_faust_and_nothing_that_faust_holds_back() -> None:
    """Faust wants an older click than other programs do: only who runs the router or the table needs it."""
    core = closure(asked_for(()))
    assert "aiokafka" in core
    assert not {name for name in core if "faust" in name or name.startswith("mode-")}
    with_faust = {extra for extra in extras() if "faust-streaming" in closure(asked_for([extra]))}
    assert with_faust - FOR_DEVELOPERS == {"router", "table"}


def test_every_extra_is_for_users_or_for_developers() -> None:
    assert set(IN_IMAGES) <= extras().keys() - FOR_DEVELOPERS
    assert extras().keys() >= FOR_DEVELOPERS


# --- licences -------------------------------------------------------------------------------------------------------


def test_no_package_comes_in_under_a_licence_that_is_unknown_or_not_allowed() -> None:
    assert refused(for_images() | for_users()) == []


def test_the_page_of_licences_lists_what_is_locked() -> None:
    listed = {line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text().splitlines() if line[:2] == "| "}
    assert {entry.name for entry in in_images(read_lock(LOCK.read_text()))} <= listed, "make licences"
    head, _, _ = page().partition("## In the images")
    assert PAGE.read_text().startswith(head), "make licences"
    assert (ROOT / "LICENSE").read_text().startswith("MIT")


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0-only OR MIT", True),
        ("(GPL-3.0-only OR MIT) AND AGPL-3.0-only", False),
        ("(GPL-3.0-only AND MIT) OR (AGPL-3.0-only AND BSD-3-Clause)", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("LGPL-3.0-or-later", False),
        (UNKNOWN, False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_if_it_can_be_satisfied(expression: str, *, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


@given(st.lists(st.sampled_from([*sorted(ALLOWED)[:3], "GPL-3.0-only"]), min_size=1, max_size=4))
def test_and_needs_all_and_or_needs_one(names: list[str]) -> None:
    assert is_allowed(" AND ".join(names)) == all(name in ALLOWED for name in names)
    assert is_allowed(" OR ".join(names)) == any(name in ALLOWED for name in names)
