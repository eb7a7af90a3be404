"""Serves the page with its style and script, without what Gradio adds by itself, and bounds the size of a request."""

import json
from dataclasses import asdict

import gradio as gr

from malaygpt.translator import MAX_CHARS
from malaygpt.ui.page import ASSETS
from malaygpt.ui.theme import Songket
from malaygpt.ui.words import ENGLISH, Words

PAGE = ASSETS / "page"

MAX_BODY_BYTES = 1 << 20
"""Far above MAX_CHARS, so that whoever pastes a text that is too long still gets the translator's sentence about it"""


def page_style() -> str:
    """page.css as it is: Gradio rewrites the rules that it is given as `css`, and loses some."""
    return f"<style>{(PAGE / 'page.css').read_text(encoding='utf-8')}</style>"


def page_script(words: Words) -> str:
    """page.js, started with the page's words and the bound on a text's length."""
    config = json.dumps({"limit": MAX_CHARS, "words": asdict(words)}, ensure_ascii=False)
    return f"() => {{ {(PAGE / 'page.js').read_text(encoding='utf-8')}; window.malaygpt = malaygptPage({config}); }}"


def serve(
    page: gr.Blocks, host: str | None = None, port: int | None = None, share: bool = False, words: Words = ENGLISH
) -> None:
    """Serves until interrupted.

    Args:
        host, port: None leaves the choice to GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, else 127.0.0.1 and 7860 or the
            next free port.
        share: also open a public gradio.live address, which needs the internet.
    """
    page.launch(
        server_name=host,
        server_port=port,
        share=share,
        theme=Songket(),
        head=page_style(),
        js=page_script(words),
        favicon_path=PAGE / "mark.svg",
        app_kwargs={"max_body_size": MAX_BODY_BYTES},
        max_file_size=1,  # byte: Gradio takes files from anyone and keeps them, and this page has no use for any
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
    )
