"""The README's pictures, taken from the running app: `python -m tests.browser.screenshots`."""

from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from .running import ROOT, launch_browser, running_app, visit

PICTURES = ROOT / "assets" / "screenshots"
TEXT = "The children are playing in the garden near the river. Would you like to come with us?"


def take(browser: Browser, url: str, path: Path, width: int, height: int, dark: bool, view: str = "") -> None:
    """One finished translation, the window's width x height CSS pixels, at twice the density; or the view of it."""
    with visit(browser, url, width, height, dark, scale=2, path=f"/#{view}") as visitor:
        visitor.translate(TEXT)
        visitor.page.mouse.move(0, 0)
        if view:
            visitor.page.wait_for_selector(f"#view-{view} canvas")
            visitor.page.locator("#views .choose").evaluate("bar => scrollTo(0, bar.offsetTop)")
        visitor.page.wait_for_timeout(500)
        visitor.page.screenshot(path=path)
        print(f"{path.relative_to(ROOT)}  {visitor.malay}")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running_app() as url, sync_playwright() as playwright:
        browser = launch_browser(playwright)
        take(browser, url, PICTURES / "light.png", 1200, 900, dark=False)
        take(browser, url, PICTURES / "dark.png", 1200, 900, dark=True)
        take(browser, url, PICTURES / "phone.png", 390, 844, dark=False)
        take(browser, url, PICTURES / "inside.png", 1200, 1000, dark=False, view="inside")
        browser.close()


if __name__ == "__main__":
    main()
