"""Debian's Chromium without a window, for tests of the page. It reaches loopback and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # CI may run as root, where Chromium's sandbox does not start; it loads our own page only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@contextlib.contextmanager
def chromium(width: int = 1280, height: int = 1000) -> Iterator[Chrome]:
    """A browser for the time of the context. Skipped where there is none, but in CI, where it must be."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: apt-get install chromium chromium-driver", pytrace=False)
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = binary
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(driver))
    try:
        resize(browser, width, height)
        yield browser
    finally:
        browser.quit()


def resize(browser: Chrome, width: int, height: int) -> None:
    """Give the page a size: a window cannot be narrower than 500 pixels, a telephone is."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def colour_scheme(browser: Chrome, scheme: str) -> None:
    """Ask the page for `light` or `dark`."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def complaints(browser: Chrome) -> list[str]:
    """What the browser has complained of since the last look: errors of scripts, what the policy has blocked."""
    entries: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries if entry["level"] in {"SEVERE", "WARNING"}]
