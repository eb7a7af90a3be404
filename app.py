"""The translator's page: command line -> translator -> page -> server.

Run it from the repository's root:
    python app.py                                   # the checkpoint in assets/, at http://127.0.0.1:7860
    python app.py --checkpoint DIR-or-user/name     # another one, from disk or from the Hugging Face Hub; when the Hub
                                                    # has none for us, that in assets/, and the page says so
    python app.py --mcp                             # also the MCP tool `translate`, at /gradio_api/mcp/
    python app.py --host 0.0.0.0 --port 8000        # for others on the network; --share for everyone
"""

import argparse
import sys

import torch

from malaygpt.checkpoint import CheckpointError
from malaygpt.hub import is_repo
from malaygpt.translator import Translator
from malaygpt.ui.page import build_page
from malaygpt.ui.server import serve


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serves the English to Malay translator's page.")
    parser.add_argument("--share", action="store_true", help="also open a public gradio.live address")
    parser.add_argument("--host", help="address to listen on (default: GRADIO_SERVER_NAME, else 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port (default: GRADIO_SERVER_PORT, else 7860 or the next free one)")
    parser.add_argument("--checkpoint", help="directory or Hub repo user/name[@revision] (default: the embedded one)")
    parser.add_argument("--mcp", action="store_true", help="also offer `translate` to MCP clients, at /gradio_api/mcp/")
    return parser.parse_args(arguments)


def load(source: str | None) -> tuple[Translator, str | None]:
    """The translator, and the Hub repo in whose place it is the embedded one. Raises CheckpointError.

    A page that is on the air should stay there when the Hub is not; a directory is here or a mistake.
    """
    try:
        return Translator.load(source), None
    except CheckpointError as error:
        if not is_repo(source):
            raise
        print(f"{error} The embedded checkpoint is served instead.", file=sys.stderr)
        return Translator.load(), source


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        translator, missed = load(options.checkpoint)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 2
    if translator.device.type == "cpu":
        # Two translations at once use two cores, and more threads for each halve what both get done.
        torch.set_num_threads(1)
    try:
        serve(build_page(translator, missed=missed), options.host, options.port, options.share, options.mcp)
    except (ImportError, OSError) as error:  # the package mcp is missing; the port is taken
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
