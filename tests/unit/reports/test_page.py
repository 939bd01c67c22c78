"""The page of a report: its colours, by the formula of WCAG 2.2 (1.4.3 and 1.4.11), its figures in words, its plots."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from contrast import contrast

from streamverify.core.reports.histogram import LogHistogram
from streamverify.core.reports.report_model import PassAtKEstimate
from streamverify.core.reports.summary import durations
from streamverify.reports.page import plots
from streamverify.reports.page.words import count, percent, seconds

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CSS = files("streamverify.reports.page").joinpath("page.css").read_text("utf-8")
TEXTS = {
    "card": ["text", "hint", "accent", "verified", "rejected", "inconclusive", "unsent"],
    "ground": ["text", "hint", "accent"],
    "notice": ["notice-text"],
}
"""For each ground the texts that stand on it."""
SHAPES = ["accent", "fill-rejected"]
"""Bars and curves that no text beside them replaces; the others have their figure in a table."""


def colours() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r"^(?:  )?:root \{(.*?)\}", CSS, re.DOTALL | re.MULTILINE)[:2]
    read = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for name, block in {"light": light, "dark": dark}.items()
    }
    assert read["light"].keys() == read["dark"].keys(), "each colour has a value for both schemes"
    return read


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("least", "pairs"), [(4.5, TEXTS), (3, {"card": SHAPES})], ids=["texts", "shapes"])
def test_it_can_be_seen_on_its_ground(scheme: str, least: float, pairs: dict[str, list[str]]) -> None:
    those = colours()[scheme]
    faint = {
        (one, ground): round(contrast(those[one], those[ground]), 2)
        for ground, ones in pairs.items()
        for one in ones
        if contrast(those[one], those[ground]) < least
    }
    assert faint == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),  # noqa: RUF001
        (0, "0 s"),
        (0.0000123, "0.01 ms"),
        (0.0123, "12.3 ms"),
        (0.99949, "999 ms"),
        (0.9996, "1.00 s"),
        (1.876, "1.88 s"),
        (60, "60.0 s"),
        (119.6, "120 s"),
        (125, "2 min 5 s"),
        (1200, "20 min"),
        (7260, "2 h 1 min"),
        (36_000_000, "10,000 h"),
    ],
)
def test_a_duration_in_words(value: float | None, said: str) -> None:
    assert seconds(value).replace("\N{NO-BREAK SPACE}", " ") == said


def test_a_share_is_never_shown_as_all_or_nothing_where_it_is_not() -> None:
    shown = [percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0, 1e-7, 0.0006, 0.5, 0.9994, 1 - 1e-7, 1)]
    assert shown == ["0 %", "< 0.1 %", "0.1 %", "50.0 %", "99.9 %", "> 99.9 %", "100 %"]
    assert count(1234567) == "1,234,567"


def numbers(svg: Element, tag: str, name: str) -> list[float]:
    return [float(shape.get(name, "nan")) for shape in svg.iter(tag)]


@pytest.mark.parametrize("values", [[1.0], [0.0], [0.0, 1e6], [1e-6, 1e-5], [60.0] * 9 + [1.0], [0.5, 0.51]])
def test_a_histogram_stays_in_its_frame_and_its_bars_do_not_overlap(values: list[float]) -> None:
    histogram = LogHistogram()
    for value in values:
        histogram.add(value)
    svg = plots.histogram("times", durations(histogram))
    assert svg is not None
    left, width = numbers(svg, "rect", "x"), numbers(svg, "rect", "width")
    assert min(left) >= 40
    assert max(x + w for x, w in zip(left, width, strict=True)) <= 560
    assert all(a + w <= b + 0.2 for (a, b), w in zip(pairwise(left), width, strict=False))
    assert min(numbers(svg, "rect", "y")) >= 0


def test_the_parts_of_a_histogram_are_stacked() -> None:
    every, parts = LogHistogram(), [LogHistogram(), LogHistogram()]
    for at, value in enumerate([1.0, 1.01, 1.02, 30.0]):
        every.add(value)
        parts[at % 2].add(value)
    split = [("fill-verified", durations(parts[0])), ("fill-rejected", durations(parts[1]))]
    svg = plots.histogram("times", durations(every), split)
    assert svg is not None
    assert {shape.get("class") for shape in svg.iter("rect")} == {"fill-verified", "fill-rejected"}


def test_where_there_is_nothing_there_is_no_plot() -> None:
    assert plots.histogram("times", durations(LogHistogram())) is None
    assert plots.stacked_bar("verdicts", [plots.BarPart("verified", 0, "fill-verified")]) is None
    one = PassAtKEstimate(k=1, estimate=0.5, low=None, high=None, method=None)
    assert plots.pass_at_k_curve("pass@k", [one]) is None
    svg = plots.pass_at_k_curve("pass@k", [one, one.model_copy(update={"k": 3, "estimate": 1.0})])
    assert svg is not None
    assert list(svg.iter("polygon")) == []
