"""Starts app.py and Chromium, and gives a visit to the page that notes whatever goes wrong in it.

The checkpoint is the embedded one, or the one that the environment variable MALAYGPT_TEST_CHECKPOINT names.
The browser is the one that CHROMIUM names, or the first that is installed.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Playwright, Request

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 120
MILLISECONDS_TO_TRANSLATE = 60_000
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

EXAMPLES = (ROOT / "assets" / "examples.txt").read_text(encoding="utf-8").splitlines()
WATCH_BEGINNINGS = """() => {
  const root = document.documentElement;
  const note = () => { if (root.hasAttribute("data-busy")) window.hasBegun = true; };
  new MutationObserver(note).observe(root, { attributeFilter: ["data-busy"] });
}"""
LONG_TEXT = " ".join(EXAMPLES * 7)[:4800]
"""Long enough that a test can look on and interrupt"""


@contextmanager
def running_app(*options: str) -> Iterator[str]:
    """Runs `python app.py` on a free port; gives its address. Raises RuntimeError with the app's output if it dies."""
    port = free_port()
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(port), *options]
    if checkpoint := os.environ.get("MALAYGPT_TEST_CHECKPOINT"):
        command += ["--checkpoint", checkpoint]
    with tempfile.TemporaryFile("w+") as output:
        # A visitor has a processor of their own. Where there is one for both, the app waits for the browser, and is not
        # done before Stop can be pressed.
        app = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, preexec_fn=partial(os.nice, 10)
        )
        try:
            if not answers(f"http://127.0.0.1:{port}/", app):
                output.seek(0)
                raise RuntimeError(f"{' '.join(command)} does not serve its page:\n{output.read()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            app.terminate()
            app.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url: str, app: subprocess.Popen) -> bool:
    """Waits until the address answers; False when the app has ended or the time is over."""
    deadline = time.monotonic() + SECONDS_TO_START
    while app.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    return False


def launch_browser(playwright: Playwright) -> Browser:
    """Raises RuntimeError, which says what to install, when there is no browser."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        raise RuntimeError(
            "No browser found: install Chromium (Debian, Ubuntu: apt-get install chromium) "
            "or let the environment variable CHROMIUM name its executable."
        )
    return playwright.chromium.launch(executable_path=executable, args=BROWSER_ARGUMENTS)


@dataclass(frozen=True)
class Visit:
    """One visitor's open page."""

    page: Page
    troubles: list[str]
    """Errors, dialogs and requests to other servers, as they happen"""

    @property
    def source(self) -> Locator:
        return self.page.get_by_label("English", exact=True)

    @property
    def target(self) -> Locator:
        """Where the Malay stands, word by word once it is done"""
        return self.page.locator("#target .text")

    @property
    def malay(self) -> str:
        return self.target.text_content()

    @property
    def notice(self) -> str:
        return self.page.locator("#notice").inner_text().strip()

    @property
    def status(self) -> str:
        return self.page.locator("#status").inner_text()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def start(self, text: str) -> None:
        """Fills in the text, presses Translate and waits for the page to say that it has begun.

        Shortly after a Stop the page holds the press back until what was stopped has ended.
        """
        self.source.fill(text)
        self.page.evaluate("window.hasBegun = false")
        self.button("Translate").click()
        self.page.wait_for_function("window.hasBegun", timeout=MILLISECONDS_TO_TRANSLATE)

    def translate(self, text: str) -> str:
        """Fills in the text, presses Translate, waits for the end; gives what then stands as its Malay."""
        self.start(text)
        self.wait_until_done()
        return self.malay

    def wait_until_done(self) -> None:
        # Stop can be pressed from the moment a translation is asked for until it ends.
        self.page.wait_for_timeout(100)
        self.page.wait_for_function("document.querySelector('#stop').disabled", timeout=MILLISECONDS_TO_TRANSLATE)

    def wait_until_streaming(self) -> None:
        """Until some Malay, but not all of it, stands in the box."""
        self.page.wait_for_function(
            "!document.querySelector('#stop').disabled && document.querySelector('#target .text').innerText.length > 9",
            timeout=MILLISECONDS_TO_TRANSLATE,
        )


@contextmanager
def visit(
    browser: Browser, url: str, width: int, height: int, dark: bool, scale: float = 1, path: str = ""
) -> Iterator[Visit]:
    """Opens the page in a fresh profile, in a window of width x height CSS pixels."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        device_scale_factor=scale,
        permissions=["clipboard-read", "clipboard-write"],
    )
    try:
        page = context.new_page()
        yield Visit(page, watched_troubles(page, url, path))
    finally:
        context.close()


def watched_troubles(page: Page, url: str, path: str) -> list[str]:
    """Opens the page at the path, "/?q=..."; the list that is returned grows while the page lives."""
    troubles: list[str] = []

    def on_request(request: Request) -> None:
        if not request.url.startswith((f"{url}/", "data:", "blob:")):
            troubles.append(f"request to {request.url}")

    page.on("request", on_request)
    page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
    page.on("console", lambda message: troubles.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(url + path)
    page.wait_for_function("window.malaygpt !== undefined")
    page.wait_for_selector("#target .text")
    page.wait_for_selector("#views h2")
    page.evaluate(WATCH_BEGINNINGS)
    return troubles
