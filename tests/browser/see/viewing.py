"""A view of assets/page/see by itself, in harness.html, and a reader before it."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from playwright.sync_api import Browser, Locator, Page

from ..running import ROOT

WIDE, NARROW = (1280, 860), (360, 740)

# Notes every text drawn on a canvas that is on the page, with the middle of its line in CSS pixels, and forgets those
# before when the canvas is cleared.
NOTE_LABELS = """() => {
  const { fillText, fillRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillRect = function (...box) {
    if (this.canvas.isConnected) this.canvas.labels = [];
    return fillRect.apply(this, box);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    const { x: left, y: top } = this.getTransform().transformPoint({ x, y });
    const turned = this.getTransform().b !== 0;
    if (this.canvas.isConnected) this.canvas.labels.push({ text, x: left, y: top, turned });
    return fillText.call(this, text, x, y, ...rest);
  };
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving_repository() -> Iterator[str]:
    """The repository's files over HTTP, which modules need; gives the address."""
    handler = functools.partial(Quiet, directory=ROOT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass(frozen=True)
class Reader:
    """One reader before a view."""

    page: Page
    troubles: list[str]

    @property
    def canvas(self) -> Locator:
        return self.page.locator("canvas.map")

    def module(self, name: str, code: str, argument: object = None) -> object:
        """Evaluates JavaScript to which the module of this name is `m`, and the argument is `it`."""
        script = f"async (it) => {{ const m = await import('/assets/page/see/{name}.js'); return {code}; }}"
        return self.page.evaluate(script, argument)


R = TypeVar("R", bound=Reader)


@contextmanager
def visits(browser: Browser, address: str, view: str, reader: type[R]) -> Iterator[Callable[..., R]]:
    """Gives what opens the view for a reader; nothing may go wrong in it unseen."""
    contexts, readers = [], []

    def open_page(
        size: tuple[int, int] = WIDE,
        dark: bool = False,
        language: str = "en",
        answer: str = "",
        noted: bool = True,
        motion: str = "no-preference",
        touch: bool = False,
    ) -> R:
        """`answer` is JavaScript: what the server says; `noted`: whether labels drawn on a canvas are."""
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, reduced_motion=motion, has_touch=touch, is_mobile=touch)
        contexts.append(context)
        page = context.new_page()
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
        page.goto(f"{address}/tests/browser/see/harness.html?{view}")
        page.wait_for_function("window.mount !== undefined")
        if noted:
            page.evaluate(NOTE_LABELS)
        page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
        page.evaluate(f"(language) => mount(language{answer and f', {answer}'})", language)
        readers.append(reader(page, troubles))
        return readers[-1]

    yield open_page
    troubles = [trouble for each in readers for trouble in each.troubles]
    for context in contexts:
        context.close()
    assert troubles == []
