"""What of CHANGELOG.md describes a version, and when it may be released."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release.changelog import notes_of, sections
from support import ROOT

from streamverify.version import __version__

RELEASED = """# Changelog

## Unreleased

## 0.2.0 - 2026-12-31

- new

### More

- x

## 0.1.0 - 2026-11-01

- old
"""


def test_the_section_of_the_version_describes_it_with_its_parts_and_no_other() -> None:
    notes = notes_of(RELEASED, "0.2.0")
    assert (notes.text, notes.problem) == ("- new\n\n### More\n\n- x", None)
    assert notes_of(RELEASED, "0.1.0").text == "- old"


def test_without_a_section_of_its_own_a_version_is_described_by_what_is_unreleased() -> None:
    notes = notes_of("# Changelog\n\n## Unreleased\n\n- much\n", "0.1.0")
    assert notes.text == "- much"
    assert notes.problem is not None
    assert "rename `## Unreleased` to `## 0.1.0 - YYYY-MM-DD`" in notes.problem


@pytest.mark.parametrize(
    ("changelog", "problem"),
    [
        (RELEASED.replace("## Unreleased\n", "## Unreleased\n\n- later\n"), "raise the version"),
        (RELEASED.replace("- new\n\n### More\n\n- x\n", ""), "is empty"),
        # A version that begins alike, and a heading without a day, are other sections.
        (RELEASED.replace("0.2.0 - 2026-12-31", "0.2.01 - 2026-12-31"), "has no section"),
        (RELEASED.replace("0.2.0 - 2026-12-31", "0x2.0 - 2026-12-31"), "has no section"),
        (RELEASED.replace("0.2.0 - 2026-12-31", "0.2.0"), "has no section"),
        ("", "has no section"),
    ],
)
def test_what_hinders_a_release_is_said(changelog: str, problem: str) -> None:
    found = notes_of(changelog, "0.2.0").problem
    assert found is not None
    assert problem in found


def test_two_sections_of_one_version_are_refused() -> None:
    for twice in ("## 0.2.0 - 2026-12-31\n", "## 0.2.0 - 2027-01-01\n"):
        with pytest.raises(ValueError, match=r"two sections"):
            notes_of(RELEASED + twice, "0.2.0")


@given(st.lists(st.tuples(st.from_regex(r"[0-9.]{1,6}", fullmatch=True), st.text("ab \n-#", max_size=20))))
def test_sections_are_read_as_they_were_written(written: list[tuple[str, str]]) -> None:
    wanted = {heading: f"x{text}".replace("#", "=").strip() for heading, text in written}
    assert sections("# C\n" + "".join(f"## {heading}\n{text}\n" for heading, text in wanted.items())) == wanted


def test_this_version_is_described() -> None:
    assert notes_of((ROOT / "CHANGELOG.md").read_text(), __version__).text
