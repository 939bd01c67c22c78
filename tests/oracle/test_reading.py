"""No command that Lean 4.35 runs is hidden from the policy, and honest files have no finding."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from oracle.generators import POOLS, SETUP, Files, draw_honest
from oracle.lean435 import Leans
from oracle.reading import (
    ATTRIBUTE_MARKERS,
    MARKERS,
    MODULE_PRELUDE,
    PRELUDE,
    SPELLINGS,
    findings,
    markers,
    traces,
    unseen,
)
from oracle.search import WORDS, search

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = 1_000
"""Files that Lean is asked about, of each of the two seeds."""


@pytest.fixture(scope="module")
def all_leans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leans]:
    with Leans(tmp_path_factory.mktemp("files"), count=os.cpu_count() or 1) as started:
        yield started


@pytest.mark.timeout(600)
def test_no_command_that_lean_runs_is_hidden_from_the_policy(
    seed: int, all_leans: Leans, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = search(all_leans, seed, FILES, most_kinds=5)
    with capsys.disabled():
        print(f"\nseed {seed}: {tally.drawn} files drawn, Lean asked about {tally.asked}")
    assert not tally.crashed
    assert not tally.hidden, f"make oracle ORACLE='--seed {seed}'\n" + "\n---\n".join(tally.kinds.values())


@pytest.mark.parametrize("opening", [PRELUDE, MODULE_PRELUDE])
@pytest.mark.parametrize(
    "marker", [*MARKERS, *SPELLINGS, *(f"@[{each}" for each in ATTRIBUTE_MARKERS[1:]), 'attribute [extern "c"] No.{0}']
)
def test_a_marker_leaves_a_trace_and_is_a_finding(marker: str, opening: str, leans: Leans) -> None:
    text = f"{opening}{marker.format('m7')}\n"
    [found] = markers(text)
    assert traces(leans.run(text, *WORDS).messages) == {found.name}
    assert findings(text)
    assert not unseen(text)


def test_a_marker_in_a_comment_or_a_string_leaves_no_trace(leans: Leans) -> None:
    texts = [f"{PRELUDE}{before}\n{MARKERS[0].format('m7')}\n{after}" for before, after in (("/-", "-/"), ('"', '"'))]
    for text, run in zip(texts, leans.run_all(texts, *WORDS), strict=True):
        assert [each.name for each in markers(text)] == ["m7"]
        assert not traces(run.messages)


def test_the_search_finds_what_a_reading_hides(monkeypatch: pytest.MonkeyPatch, all_leans: Leans) -> None:
    # A policy that objects to nothing hides every marker that Lean runs.
    monkeypatch.setattr("oracle.reading.findings", lambda *_: [])
    tally = search(all_leans, 1, 40, most_kinds=1)
    assert tally.hidden
    [small] = tally.kinds.values()
    assert len(small) < len(MODULE_PRELUDE) + 60


def test_a_seed_draws_the_same_files_again() -> None:
    first, second = (Files(random.Random(3)) for _ in range(2))
    drawn = [first.draw(family) for family in first.families]
    assert drawn == [second.draw(family) for family in second.families]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("opening", [PRELUDE, MODULE_PRELUDE])
def test_what_honest_files_consist_of_is_no_finding(opening: str) -> None:
    draw = random.Random(4350)
    for _ in range(1_000):
        text = opening + SETUP + draw_honest(draw, reached=False)
        assert not findings(text), text


def test_what_is_called_honest_is_lean(all_leans: Leans) -> None:
    draw = random.Random(4350)
    texts = [PRELUDE + SETUP + draw_honest(draw, reached=True) for _ in range(100)]
    for text, run in zip(texts, all_leans.run_all(texts, *WORDS), strict=True):
        assert not [each for each in run.messages if each["severity"] == "error"], text
        assert not findings(text), text


@pytest.mark.parametrize("term", ["{ decide := true }", "{ maxSteps := 100 }", "{}"])
def test_a_configuration_of_literals_is_no_finding(term: str) -> None:
    assert not findings(f"{PRELUDE}theorem t : 1 + 1 = 2 := by simp (config := {term})\n")


@pytest.mark.parametrize("body", POOLS["known"])
def test_a_known_way_to_hide_a_command_hides_none(body: str, leans: Leans) -> None:
    text = f"{PRELUDE}{body}\n"
    [marker] = markers(text)
    assert marker.name in traces(leans.run(text, *WORDS).messages), "Lean does not run it: it is no such way"
    assert not unseen(text)
