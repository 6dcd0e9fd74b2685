"""A real browser without a window: Chromium, driven by Selenium."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.machine import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver


@contextmanager
def browser() -> Iterator[WebDriver]:
    """A browser that can reach no network."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = need_tool("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(need_tool("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def show(driver: WebDriver, page: Path) -> None:
    """Opens a file; it may ask for nothing else, and write nothing to the console."""
    driver.get_log("performance")
    driver.get(page.as_uri())
    requests = [
        entry["message"] for entry in driver.get_log("performance") if "Network.requestWillBeSent" in entry["message"]
    ]
    assert all(page.name in request for request in requests), requests
    assert driver.get_log("browser") == []


def axe_violations(driver: WebDriver) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its own best practices in the page that is shown."""
    source = Path(need_tool("axe-core")) / "axe.min.js"
    driver.execute_script(source.read_text())
    found = driver.execute_async_script("const done = arguments[0]; axe.run().then(found => done(found.violations));")
    return [f"{each['id']}: {node['target']}: {node['failureSummary']}" for each in found for node in each["nodes"]]


def dark(driver: WebDriver, on: bool) -> None:
    """What the system prefers."""
    feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
