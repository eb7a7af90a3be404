"""A part of the page that the browser draws: a gr.HTML with a JSON value, whose nodes outlive every change of it."""

from collections.abc import Callable

import gradio as gr

# The value never goes through a template, which would run what a visitor typed as code.
SCRIPT = """
import(`${window.gradio_config.root}/see/shell.js`)
  .then((shell) => shell.mount(NAME, { element, props, watch, server: SERVER }))
"""


class View(gr.HTML):
    """Drawn by assets/page/see/shell.js, which knows it by its name. Other arguments are there as its `props`."""

    def __init__(self, name: str, server_functions: list[Callable] | None = None, **props: object) -> None:
        script = SCRIPT.replace("NAME", repr(name)).replace("SERVER", "server" if server_functions else "null")
        super().__init__(
            html_template="",
            js_on_load=script,
            apply_default_css=False,
            elem_id=name,
            server_functions=server_functions,
            **props,
        )

    def preprocess(self, payload: object) -> object:
        """The JSON that the browser sent"""
        return payload

    def postprocess(self, value: object) -> object:
        """JSON for the browser"""
        return value
