"""How soon the page shows what is decoded, what it weighs, and whether a long text holds it up, in headless Chromium.

    python -m tests.benchmarks.page [--checkpoint X] [--presses N] [--between-yields SECONDS]

The app serves from a process of its own, as app.py does, and notes when each token was decoded. The page notes when
each text of the Malay pane was painted: at the first task after the animation frame that drew it. How far the browser's
clock is off the app's is measured and taken away. A token that the handlers leave out, as it came too soon after
another, counts as painted with the next one. Chromium reports tasks of 50 ms and more as long ones.

--between-yields tries another pause than SECONDS_BETWEEN_YIELDS of malaygpt/ui/handlers.py.
"""

import argparse
import gzip
import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import Queue
from urllib.parse import urlsplit

import torch
from playwright.sync_api import Page, Request, sync_playwright

from malaygpt.decode import SearchOptions
from malaygpt.translator import EXPLAINED, Translator, Update
from malaygpt.ui import handlers
from malaygpt.ui.page import build_page
from malaygpt.ui.server import page_script, page_style, serve
from tests.browser.running import (
    EXAMPLES,
    MILLISECONDS_TO_TRANSLATE,
    SECONDS_TO_START,
    free_port,
    launch_browser,
    visit,
)

SENTENCE = "The children are playing in the park near the river while their parents watch them."
LONG_TEXT = " ".join((EXAMPLES * 3)[:22])
"""About 400 tokens of Malay"""
WARM_UP = 3
"""Presses that do not count"""
QUIET = 300
"""Milliseconds after which nothing of a translation or of Clear is still under way"""

# A message posted in an animation frame arrives once the frame is drawn.
WATCH = """() => {
  const now = () => performance.timeOrigin + performance.now();
  const text = () => document.querySelector("#target .text").textContent;
  window.notes = { pressed: null, painted: [], tasks: [] };
  let isAwaited = false;
  const note = () => {
    isAwaited = false;
    const drawn = text();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { window.notes.painted.push([now(), drawn]); port1.close(); };
    port2.postMessage(null);
  };
  new MutationObserver(() => {
    if (isAwaited) return;
    isAwaited = true;
    requestAnimationFrame(note);
  }).observe(document.getElementById("target"), { childList: true, characterData: true, subtree: true });
  document.addEventListener("click", (event) => {
    if (event.target.closest("#translate")) window.notes.pressed = performance.timeOrigin + event.timeStamp;
  }, true);
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) {
      window.notes.tasks.push([performance.timeOrigin + task.startTime, task.duration]);
    }
  }).observe({ type: "longtask" });
}"""
CLOCK = "() => performance.timeOrigin + performance.now()"
IS_DONE = "document.querySelector('#stop').disabled && window.notes.painted.length > 0"


# In the app's process


class Noting:
    """Sends, at a translation's end, [[milliseconds since 1970, the Malay so far], ...] of its tokens."""

    def __init__(self, translator: Translator, notes: Queue) -> None:
        self._stream, self._notes = translator.stream, notes

    def stream(self, text: str, options: SearchOptions = EXPLAINED) -> Iterator[Update]:
        noted = []
        with closing(self._stream(text, options)) as updates:
            for update in updates:
                if update.done:
                    self._notes.put(noted)
                else:
                    noted.append((1000 * time.time(), update.text))
                yield update


def serve_noting(checkpoint: str | None, port: int, between_yields: float, notes: Queue) -> None:
    torch.set_num_threads(1)
    translator = Translator.load(checkpoint)
    translator.stream = Noting(translator, notes).stream
    handlers.throttle = partial(handlers.throttle, seconds=between_yields)
    serve(build_page(translator), "127.0.0.1", port)


@contextmanager
def noting_app(checkpoint: str | None, between_yields: float) -> Iterator[tuple[str, Queue]]:
    """The address of the app, and where its notes arrive. Raises RuntimeError if it does not start."""
    # Not forked: torch's threads do not survive that.
    context = multiprocessing.get_context("spawn")
    # Not a pipe, which would hold the app up where a text's notes are more than it holds.
    notes = context.Queue()
    port = free_port()
    app = context.Process(target=serve_noting, args=(checkpoint, port, between_yields, notes))
    app.start()
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not is_open(port):
            if not app.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("The app does not serve its page; what it printed above says why.")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}", notes
    finally:
        app.terminate()
        app.join()


def is_open(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


# In the browser


@dataclass(frozen=True)
class Press:
    """One translation; milliseconds on the app's clock, tasks as (start, duration)."""

    pressed: float
    decoded: list[tuple[float, str]]
    painted: list[tuple[float, str]]
    tasks: list[tuple[float, float]]

    @property
    def until_first(self) -> float:
        return next(at for at, text in self.painted if text) - self.pressed

    @property
    def until_decoded(self) -> float:
        """Until the first token with a text was"""
        return next(at for at, text in self.decoded if text) - self.pressed

    @property
    def until_last(self) -> float:
        return self.painted[-1][0] - self.pressed

    @property
    def lags(self) -> list[float]:
        """From decoded to painted, of each token that changes the text; painted with a later one if it was left out."""
        before = ["", *(text for _, text in self.decoded)]
        waiting = [each for text, each in zip(before, self.decoded, strict=False) if each[1] != text]
        lags = []
        for at, text in self.painted:
            # A text may come back, as one beam gives way to another: painted is the last that was decoded by then.
            shown = [i for i, (decoded_at, each) in enumerate(waiting) if each == text and decoded_at <= at]
            if shown:
                lags += [at - decoded_at for decoded_at, _ in waiting[: shown[-1] + 1]]
                waiting = waiting[shown[-1] + 1 :]
        return lags

    def longest_task(self, streaming: bool) -> float:
        """Of those before the last token was decoded, or of those after; 0 where none was long."""
        end = self.decoded[-1][0]
        return max((duration for start, duration in self.tasks if (start < end) == streaming), default=0.0)


def clock_ahead(page: Page, times: int = 50) -> float:
    """Milliseconds that the browser's clock is ahead of ours, from the question that was answered soonest."""
    asked = []
    for _ in range(times):
        before = 1000 * time.time()
        there = page.evaluate(CLOCK)
        after = 1000 * time.time()
        asked.append((after - before, there - (before + after) / 2))
    return min(asked)[1]


def translate(page: Page, text: str, notes: Queue) -> Press:
    """Into an empty page, which is emptied again."""
    page.locator("#source textarea").fill(text)
    page.wait_for_timeout(QUIET)
    page.evaluate("Object.assign(window.notes, { pressed: null, painted: [], tasks: [] })")
    page.locator("#translate").click()
    page.wait_for_function(IS_DONE, timeout=MILLISECONDS_TO_TRANSLATE)
    page.wait_for_timeout(QUIET)
    noted = page.evaluate("window.notes")
    ahead = clock_ahead(page)
    painted, tasks = ([(at - ahead, what) for at, what in noted[name]] for name in ("painted", "tasks"))
    page.locator("#clear").click()
    page.wait_for_function("document.querySelector('#target .text').textContent === ''")
    page.wait_for_timeout(QUIET)
    return Press(noted["pressed"] - ahead, notes.get(timeout=SECONDS_TO_START), painted, tasks)


@dataclass(frozen=True)
class Weight:
    """Bytes of what is ours."""

    sent: int
    """As they are on the wire, without headers"""
    whole: int
    """Uncompressed"""

    def __str__(self) -> str:
        return f"{self.sent / 1000:.1f} ({self.whole / 1000:.1f} uncompressed)"


def weigh(page: Page) -> tuple[Weight, Weight]:
    """At first sight, and with every view opened."""
    requests: list[Request] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.on("requestfinished", lambda request: requests.append(request))
    page.reload()
    page.wait_for_selector("#views .choose button")
    page.wait_for_selector("#target .text")
    page.wait_for_timeout(QUIET)
    first = weight(requests)
    for button in page.locator("#views .choose button").all():
        button.click()
        page.wait_for_selector(f"#{button.get_attribute('aria-controls')}", state="attached")
    page.wait_for_timeout(QUIET)
    return first, weight(requests)


def weight(requests: list[Request]) -> Weight:
    """Of the requests to /see, and of the style and script that stand in the page."""
    document = next(each for each in requests if each.is_navigation_request())
    inline = (page_style() + page_script()).encode()
    is_packed = "content-encoding" in document.response().all_headers()
    ours = [each for each in requests if urlsplit(each.url).path.startswith("/see/")]
    sent = sum(each.sizes()["responseBodySize"] for each in ours)
    whole = sum(len(each.response().body()) for each in ours)
    return Weight(sent + len(gzip.compress(inline) if is_packed else inline), whole + len(inline))


# The table


def p50_p95(values: list[float]) -> str:
    return f"p50 {statistics.median(values):.0f}, p95 {statistics.quantiles(values, n=20)[-1]:.0f}"


def show_table(short: list[Press], long: Press, first: Weight, opened: Weight) -> None:
    lags = [lag for press in short for lag in press.lags]
    rows = [
        ("press to first Malay painted, ms", p50_p95([press.until_first for press in short]), "150"),
        ("press to first token decoded, ms", p50_p95([press.until_decoded for press in short]), ""),
        (f"token decoded to painted, {len(lags)} tokens, ms", p50_p95(lags), "p95 30"),
        (f"the same in a text of {len(long.decoded)} tokens, ms", p50_p95(long.lags), "p95 30"),
        ("its longest task while it streams, ms", f"{long.longest_task(streaming=True):.0f}", "no hang"),
        ("its longest task at the end, ms", f"{long.longest_task(streaming=False):.0f}", "no hang"),
        ("press to its end painted, s", f"{long.until_last / 1000:.2f}", ""),
        ("weight at first sight, kB", str(first), "150"),
        ("weight with all views opened, kB", str(opened), "150"),
    ]
    print("| what | measured | goal |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page", description="How fast the page is.")
    parser.add_argument("--checkpoint", help="checkpoint directory or Hub repo; default the embedded one")
    parser.add_argument("--presses", type=int, default=30, help="translations of the sentence (default 30)")
    parser.add_argument(
        "--between-yields", type=float, default=handlers.SECONDS_BETWEEN_YIELDS, help="seconds (default the app's)"
    )
    options = parser.parse_args()
    if options.presses < 2:
        parser.error("--presses must be at least 2, for a p95.")
    with noting_app(options.checkpoint, options.between_yields) as (url, notes), sync_playwright() as playwright:
        browser = launch_browser(playwright)
        with visit(browser, url, 1280, 860, dark=False) as visitor:
            visitor.page.wait_for_selector("#target .text")
            visitor.page.evaluate(WATCH)
            short = [translate(visitor.page, SENTENCE, notes) for _ in range(WARM_UP + options.presses)][WARM_UP:]
            long = translate(visitor.page, LONG_TEXT, notes)
        with visit(browser, url, 1280, 860, dark=False) as visitor:
            first, opened = weigh(visitor.page)
        browser.close()
    print(f"{options.between_yields} s between yields, load of the machine {os.getloadavg()[0]:.1f}")
    show_table(short, long, first, opened)
    return 0


if __name__ == "__main__":
    sys.exit(main())
