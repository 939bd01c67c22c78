"""The same on the Lean that STREAMVERIFY_TEST_REPL names: its grammar is whole, and tactics run.

Markers are traced by Lean's messages, as in reading.py. That a tactic ran code which its configuration names shows on
stderr, where `unreachable!` says so.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from oracle.generators import POOLS
from oracle.reading import ATTRIBUTE_MARKERS, MARKERS, OLD, PRELUDE, SPELLINGS, findings, traces
from oracle.repl import EVIL, Repl
from oracle.search import search
from real_lean import needs_lean

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_lean

FILES = 500
"""That Lean is asked about, of each of the two seeds; some seventeen times as many are drawn."""


@pytest.fixture(scope="module")
def repl() -> Iterator[Repl]:
    with Repl() as started:
        yield started


@pytest.mark.parametrize("marker", MARKERS + SPELLINGS + ATTRIBUTE_MARKERS)
def test_each_marker_leaves_its_trace_in_what_this_lean_says(marker: str, repl: Repl) -> None:
    text = f"{'@[' if marker in ATTRIBUTE_MARKERS else ''}{marker.format('m123')}"
    if marker.startswith("extern"):
        text = text.replace("@[", "attribute [")
    assert {each.removeprefix("[no.") for each in traces(repl.messages(text))} == {"m123"}


@pytest.mark.timeout(600)
def test_no_command_that_this_lean_runs_is_hidden_from_the_policy(
    seed: int, repl: Repl, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = search(repl, seed, FILES, vocabulary=OLD)
    with capsys.disabled():
        print(f"\nseed {seed}: {tally.drawn} files drawn, Lean asked about {tally.asked}")
    assert not tally.hidden, "\n---\n".join(tally.kinds.values())


def _configured(draw: random.Random) -> str:
    """A proof whose tactic has a configuration that may or may not run `evil`."""
    term = draw.choice(POOLS["configurations"])
    return draw.choice(POOLS["configured"]).replace("CONFIG", term)


def test_no_code_in_a_configuration_is_run_without_a_finding(repl: Repl) -> None:
    draw = random.Random(2021)
    ran = 0
    for _ in range(300):
        body = _configured(draw)
        if repl.panics(body):
            ran += 1
            assert findings(f"{PRELUDE}{EVIL}{body}"), body
    assert ran, "nothing ran `evil`: the test asks nothing"
