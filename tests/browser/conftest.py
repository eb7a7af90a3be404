"""One app and one browser for all tests here; for each test a fresh visit in which nothing may go wrong unseen."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from .running import Visit, launch_browser, running_app, visit


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with running_app() as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launch_browser(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def desk(browser: Browser, url: str) -> Iterator[Visit]:
    """A visit from a desktop by day."""
    with visit(browser, url, 1280, 860, dark=False) as visitor:
        yield visitor
        assert visitor.troubles == []


@pytest.fixture
def night(browser: Browser, url: str) -> Iterator[Visit]:
    """A visit from a desktop in dark mode."""
    with visit(browser, url, 1280, 860, dark=True) as visitor:
        yield visitor
        assert visitor.troubles == []


@pytest.fixture
def phone(browser: Browser, url: str) -> Iterator[Visit]:
    """A visit from a small phone."""
    with visit(browser, url, 360, 740, dark=False) as visitor:
        yield visitor
        assert visitor.troubles == []
