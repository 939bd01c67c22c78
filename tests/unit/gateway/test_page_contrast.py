"""The colours of the page, by the formula of WCAG 2.2 (1.4.3 and 1.4.11)."""

from __future__ import annotations

import re

import pytest
from contrast import contrast

from streamverify.gateway.page.routes import STATIC

TEXTS = {
    "ground": ["text", "hint", "link", "rejected"],
    "card": ["text", "hint", "link", "verified", "rejected", "inconclusive"],
    "code": ["text", "hint", "link", "rejected"],
    "button": ["button-text"],
    "mark": ["mark-text"],
}
"""For each ground the texts that stand on it."""
SHAPES = {"card": ["border", "link"], "ground": ["border", "link"]}
"""The borders of fields, and the ring of what has the focus."""


def colours() -> dict[str, dict[str, str]]:
    css = (STATIC / "page.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    read = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for name, block in {"light": light, "dark": dark}.items()
    }
    assert read["light"].keys() == read["dark"].keys(), "each colour has a value for both schemes"
    return read


def test_the_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("least", "pairs"), [(4.5, TEXTS), (3, SHAPES)], ids=["texts", "shapes"])
def test_it_can_be_seen_on_its_ground(scheme: str, least: float, pairs: dict[str, list[str]]) -> None:
    those = colours()[scheme]
    faint = {
        (one, ground): round(contrast(those[one], those[ground]), 2)
        for ground, ones in pairs.items()
        for one in ones
        if contrast(those[one], those[ground]) < least
    }
    assert faint == {}


def test_the_sheet_names_colours_in_one_place_only() -> None:
    css = (STATIC / "page.css").read_text("utf-8")
    rest = re.sub(r":root \{.*?\}", "", css, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\s*[;}]", rest) == []
