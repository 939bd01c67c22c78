"""What a person does with the gateway's page in a browser: look for something, wait for it, send a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

if TYPE_CHECKING:
    from page_fakes import Served
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


def find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser: Chrome, selector: str) -> list[str]:
    return [str(found.get_attribute("textContent")) for found in browser.find_elements(By.CSS_SELECTOR, selector)]


def wait(browser: Chrome, selector: str, word: str) -> None:
    """Wait until the text of this element has the word."""
    WebDriverWait(browser, 30, poll_frequency=0.05).until(
        lambda _: any(word in text for text in texts(browser, selector)), f"no `{word}` in {selector}"
    )


def verify(browser: Chrome, page: Served, proof: str, answer: dict[str, Any]) -> None:
    """Paste a proof, send it, and wait until the answer is shown."""
    page.gateway.fake.fields[proof] = answer
    # As a paste does it: chromedriver types no character beyond U+FFFF.
    browser.execute_script("document.getElementById('proof').value = arguments[0]", proof)
    find(browser, "#verify").click()
    WebDriverWait(browser, 30, poll_frequency=0.05).until(
        lambda _: find(browser, "#stop").get_attribute("hidden") and page.gateway.fake.sent
    )
