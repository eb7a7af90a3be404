"""Serves the page with its style and script, without what Gradio adds by itself, and bounds the size of a request."""

import json
from dataclasses import asdict
from importlib import metadata

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from malaygpt.source import source_page
from malaygpt.translator import MAX_CHARS
from malaygpt.ui.page import ASSETS
from malaygpt.ui.theme import Songket
from malaygpt.ui.words import ENGLISH, MALAY

PAGE = ASSETS / "page"

MAX_BODY_BYTES = 1 << 20
"""Far above MAX_CHARS, so that whoever pastes a text that is too long still gets the translator's sentence about it"""


def page_style() -> str:
    """page.css as it is: Gradio rewrites the rules that it is given as `css`, and loses some."""
    return f"<style>{(PAGE / 'page.css').read_text(encoding='utf-8')}</style>"


def page_script() -> str:
    """page.js, started with the page's words in both languages and the bound on a text's length."""
    words = {language.code: asdict(language) for language in (ENGLISH, MALAY)}
    config = json.dumps({"limit": MAX_CHARS, "words": words}, ensure_ascii=False)
    return f"() => {{ {(PAGE / 'page.js').read_text(encoding='utf-8')}; window.malaygpt = malaygptPage({config}); }}"


def send_source(request: Request) -> Response:
    """model.py with a link to every line"""
    return HTMLResponse(source_page())


def routes() -> list[Mount | Route]:
    """What the page fetches beside Gradio's own: the modules that draw its views, and the model's source."""
    return [Mount("/see", app=StaticFiles(directory=PAGE / "see")), Route("/source", send_source)]


def require_mcp() -> None:
    """Raises ImportError, which says what to install: without it Gradio would serve the page and no tool."""
    try:
        fits = metadata.version("mcp").startswith("1.")
    except metadata.PackageNotFoundError:
        fits = False
    if not fits:
        # Not gradio[mcp], which asks for an older pydantic than we run on.
        raise ImportError('The MCP server needs version 1 of the package mcp: pip install "mcp<2"')


def serve(
    page: gr.Blocks, host: str | None = None, port: int | None = None, share: bool = False, mcp: bool = False
) -> None:
    """Serves until interrupted.

    Args:
        host, port: None leaves the choice to GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, else 127.0.0.1 and 7860 or the
            next free port.
        share: also open a public gradio.live address, which needs the internet.
        mcp: also offer the page's API as tools of the Model Context Protocol, at /gradio_api/mcp/. Raises ImportError
            where that cannot be.
    """
    if mcp:
        require_mcp()
    page.launch(
        server_name=host,
        server_port=port,
        share=share,
        mcp_server=mcp,
        theme=Songket(),
        head=page_style(),
        js=page_script(),
        favicon_path=PAGE / "mark.svg",
        app_kwargs={
            "max_body_size": MAX_BODY_BYTES,
            "routes": routes(),
            "middleware": [Middleware(GZipMiddleware)],  # which lets a stream of events pass as it is
        },
        max_file_size=1,  # byte: Gradio takes files from anyone and keeps them, and this page has no use for any
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
    )
