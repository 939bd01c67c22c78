"""The page of a report in a real browser, with scripts off: what is seen at any width, and what has no effect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from browser import chromium, colour_scheme, complaints, resize
from selenium.webdriver.common.by import By

from streamverify.reports.making import make_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

HOSTILE = '</style></title><img src=x onerror="document.title=1"><script>document.title=2</script>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as made:
        yield made


@pytest.fixture
def page(browser: Chrome, tmp_path: Path) -> Chrome:
    rows = [
        {
            "custom_id": f"{number}{HOSTILE}{'x' * 400}",
            "status": ("verified", "rejected", "inconclusive")[number % 3],
            "reason": ("ok", "lean_error", "timeout")[number % 3],
            "run_seconds": 1.5**number,
            "latency_seconds": 1.6**number,
            "group": f"g{number // 3}",
            "header": f"import {HOSTILE}{number}",
            "messages": [{"severity": "error", "text": f"{HOSTILE} {'word' * 100}"}],
            "verifier_kind": HOSTILE,
        }
        for number in range(12)
    ]
    file = tmp_path / "v.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    written = make_report(file, tmp_path / "out", title=HOSTILE, slots=2)
    browser.get(written.page.as_uri())
    return browser


def test_a_hostile_text_is_shown_and_takes_no_effect(page: Chrome) -> None:
    assert page.title == f"{HOSTILE}: verdicts"
    assert page.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert page.find_elements(By.CSS_SELECTOR, "img, script, iframe, link, a") == []
    # Its own style is let in by the policy, and nothing is asked for that the policy would block.
    assert page.find_element(By.TAG_NAME, "h2").value_of_css_property("margin-top") == "0px"
    assert complaints(page) == []


def test_it_is_read_without_scripts_in_light_and_dark_and_on_a_telephone(page: Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        grounds = set()
        for scheme in ("light", "dark"):
            colour_scheme(page, scheme)
            grounds.add(page.find_element(By.TAG_NAME, "body").value_of_css_property("background-color"))
        assert len(grounds) == 2
        for width in (360, 800, 1400):
            resize(page, width, 900)
            body = page.find_element(By.TAG_NAME, "main")
            assert body.rect["x"] >= 0
            assert body.rect["x"] + body.rect["width"] <= width, "tables scroll by themselves, and the page does not"
        tables = page.find_elements(By.TAG_NAME, "table")
        assert len(tables) >= 8
        assert all(table.is_displayed() for table in tables)
        assert len(page.find_elements(By.CSS_SELECTOR, "svg.plot")) == 3
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        resize(page, 1280, 1000)
