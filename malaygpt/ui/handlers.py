"""What happens when a visitor asks for a translation: text in, the values of the page's components out.

Many visitors share one translator, so nothing is remembered between calls.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import gradio as gr

from malaygpt.translator import InputError, Translator, Update
from malaygpt.ui.words import Words

SECONDS_BETWEEN_YIELDS = 0.05
"""About 20 changes a second look continuous; more only make traffic."""

logger = logging.getLogger(__name__)


def throttle(updates: Iterable[Update], seconds: float = SECONDS_BETWEEN_YIELDS) -> Iterator[Update]:
    """The first update, the last, and between them at most one in `seconds`."""
    shown_at = float("-inf")
    for update in updates:
        now = time.monotonic()
        if update.done or now - shown_at >= seconds:
            shown_at = now
            yield update


@dataclass(frozen=True)
class Handlers:
    """The page's two ways to translate: shown as it is decoded, or whole through the API."""

    translator: Translator
    words: Words

    def stream(self, text: str | None) -> Iterator[tuple[object, object]]:
        """Yields (Malay so far, notice). A closed browser or Stop closes this generator, and that ends the decoding."""
        text = text or ""
        try:
            self.translator.check(text)
            with closing(self.translator.stream(text)) as updates:
                for update in throttle(updates):
                    yield update.text, ""
        except InputError as error:
            yield "", str(error)
        except Exception:
            logger.exception("A translation failed")
            yield gr.skip(), self.words.failed

    def translate(self, text: str) -> str:
        """Translates English text to Malay.

        Args:
            text: English, at most 5000 characters; line breaks are kept.

        Returns:
            The Malay text.
        """
        if not isinstance(text, str):
            raise gr.Error("The text must be a string.", print_exception=False)
        try:
            self.translator.check(text)
            return self.translator.translate(text)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            logger.exception("A translation failed")
            raise gr.Error(self.words.failed, print_exception=False) from error
