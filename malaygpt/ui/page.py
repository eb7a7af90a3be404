"""The page's components and which event does what.

One listener decodes: Translate's. Ctrl + Enter and the examples press that button, so that Stop and Clear have one
thing to cancel and a visitor never has two translations at once. What the server need not know (the counter, the keys,
files, the language, whether a translation is running) happens in assets/page/page.js; how the Malay is read and what
shows how it came about, in assets/page/see.
"""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from malaygpt.seeing import Seeing
from malaygpt.translator import Translator
from malaygpt.ui.handlers import IN_FLIGHT, Handlers
from malaygpt.ui.view import View
from malaygpt.ui.words import ENGLISH, MISSED, Words

ASSETS = Path(__file__).resolve().parents[2] / "assets"

WAITING = 32
"""Translations that may wait; the next visitor is told that the server is busy"""

HEADER = """
<header>
  <svg class="mark" viewBox="6 1 20 30" aria-hidden="true">
    <path d="M16 2 24 30H8Z"/><path class="thread" d="M16 13 20 27H12Z"/>
  </svg>
  <h1>malaygpt</h1><p id="tagline">{tagline}</p>
</header>
"""
# What page.js fills in.
COUNTER = """
<button type="button" id="open"><svg viewBox="0 0 20 20" aria-hidden="true">
  <path d="M4 2h8l4 4v12H4Z M12 2v4h4 M10 15V9 M7 12l3-3 3 3"/>
</svg></button>
<input type="file" id="file" accept=".txt,.md,text/plain" hidden>
<span id="counter"></span><span id="excess"></span><span id="status" role="status"></span>
"""


def read_examples() -> list[str]:
    """The example sentences, one per line of assets/examples.txt."""
    return (ASSETS / "examples.txt").read_text(encoding="utf-8").splitlines()


@dataclass(frozen=True)
class Components:
    """The parts of the page that events read, write or start from."""

    language: gr.Button
    source: gr.Textbox
    notice: gr.Markdown
    clear: gr.Button
    stop: gr.Button
    translate: gr.Button
    target: View
    views: View
    examples: list[gr.Button]


def build_page(translator: Translator, words: Words = ENGLISH, missed: str | None = None) -> gr.Blocks:
    """The whole page, ready for `malaygpt.ui.server.serve`.

    `missed`: the Hub repo whose checkpoint could not be had, so that the embedded one translates.
    """
    seeing = Seeing(translator)
    handlers = Handlers(translator, seeing)

    def see(question: dict) -> dict:  # Gradio marks it as one that may be called, which a method cannot be
        return handlers.see(question)

    with gr.Blocks(title=words.title, analytics_enabled=False, fill_width=True) as page:
        with gr.Row(elem_id="top"):
            gr.HTML(HEADER.format(tagline=words.tagline), elem_id="masthead")
            language = gr.Button(words.other_language, elem_id="language", elem_classes="quiet", size="sm")
        if missed:
            gr.Markdown(MISSED.format(repo=missed), elem_id="missed")
        with gr.Row(elem_id="panes"):
            source, notice, clear, stop, translate = _english_pane(words)
            gr.HTML(elem_id="seam")
            target = _malay_pane(words)
        views = View("views", [see], figures=seeing.figures("source"))
        examples = _examples(words)
        millions = f"{translator.num_parameters / 1e6:.1f}"
        about = words.about.format(millions=millions)
        gr.HTML(f'<footer data-millions="{millions}">{about}</footer>', elem_id="colophon")
        _connect(Components(language, source, notice, clear, stop, translate, target, views, examples), handlers)
        gr.api(handlers.translate, api_name="translate", concurrency_limit=IN_FLIGHT, concurrency_id="decoding")
    return page.queue(max_size=WAITING)


def _connect(on: Components, handlers: Handlers) -> None:
    """Listens. `malaygpt` in the browser's code is what assets/page/page.js returns."""
    decoding = on.translate.click(
        handlers.stream,
        inputs=[on.source, on.views],  # the script puts the visitor's options in the place of the second
        outputs=[on.target, on.notice],
        js="(text) => malaygpt.begin(text)",
        show_progress="hidden",
        trigger_mode="once",
        concurrency_limit=IN_FLIGHT,
        concurrency_id="decoding",
        api_visibility="private",
    )
    # Gradio runs `then` after a success, `failure` after an error, and both after a cancel.
    decoding.then(fn=None, inputs=on.notice, js="(notice) => malaygpt.end(notice)")
    decoding.failure(fn=None, js="() => malaygpt.fail()")
    on.stop.click(fn=None, js="() => malaygpt.stop()", cancels=decoding)
    # Not in one step: a listener's own script runs before what it cancels, and would wait for that in vain.
    ended = on.clear.click(fn=None, js="() => malaygpt.stop('')", cancels=decoding)
    ended.then(fn=None, outputs=[on.source, on.target, on.notice], js="() => malaygpt.clear()")
    on.source.change(fn=None, inputs=on.source, js="(text) => malaygpt.count(text)")
    for example in on.examples:
        fill = example.click(fn=None, inputs=example, outputs=on.source, js="(text) => text", cancels=decoding)
        fill.then(fn=None, js="() => malaygpt.submit()")
    spoken = [on.language, on.source, on.clear, on.stop, on.translate]
    on.language.click(fn=None, outputs=spoken, js="() => malaygpt.switchLanguage()")


def _english_pane(words: Words) -> tuple[gr.Textbox, gr.Markdown, gr.Button, gr.Button, gr.Button]:
    with gr.Column(elem_id="english", elem_classes="pane"):
        source = gr.Textbox(
            label=words.english,
            show_label=True,
            placeholder=words.source_hint,
            lines=3,
            max_lines=3,
            autofocus=True,
            elem_id="source",
            html_attributes=gr.InputHTMLAttributes(lang="en"),
        )
        notice = gr.Markdown(elem_id="notice")
        with gr.Row(elem_classes="bar"):
            gr.HTML(COUNTER)
            clear = gr.Button(words.clear, elem_id="clear", elem_classes="quiet", size="sm")
            stop = gr.Button(words.stop, elem_id="stop", elem_classes="quiet", size="sm")
            translate = gr.Button(words.translate, elem_id="translate", variant="primary", size="sm")
    return source, notice, clear, stop, translate


def _malay_pane(words: Words) -> View:
    with gr.Column(elem_id="malay", elem_classes="pane"):
        gr.HTML(f"<h2 id='malay-title'>{words.malay}</h2>")
        return View("target")


def _examples(words: Words) -> list[gr.Button]:
    gr.HTML(f"<h2>{words.examples}</h2>", elem_id="examples-title")
    with gr.Row(elem_id="examples"):
        return [gr.Button(sentence, elem_classes="example", size="sm") for sentence in read_examples()]
