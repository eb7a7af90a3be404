"""What happens when a visitor asks for something: text or a question in, the values of the page's components out.

Many visitors share one translator, so nothing is remembered between calls.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from threading import BoundedSemaphore

import gradio as gr

from malaygpt.seeing import Seeing, read_options
from malaygpt.translator import InputError, Translator, Update
from malaygpt.ui.words import BUSY, FAILED

SECONDS_BETWEEN_YIELDS = 0.015
"""A screen shows no more than about 60 changes a second; more only make traffic."""
IN_FLIGHT = 2
"""Translations decoded at once, whoever asks: one per core of a small server, each with one thread; and as many
questions of the views"""
QUESTIONS_AT_ONCE = IN_FLIGHT + 8
"""Those answered and those that wait, each in a thread, of which Gradio has forty for the whole page"""
SECONDS_TO_WAIT = 20
"""After so long, a question is told that the server is busy"""

logger = logging.getLogger(__name__)


def throttle(updates: Iterable[Update], seconds: float = SECONDS_BETWEEN_YIELDS) -> Iterator[Update]:
    """The first update, the last, and between them at most one in `seconds`."""
    shown_at = float("-inf")
    for update in updates:
        now = time.monotonic()
        if update.done or now - shown_at >= seconds:
            shown_at = now
            yield update


def shown(update: Update) -> dict:
    """An update as the reading view takes it, see assets/page/see/reading.js"""
    tokens = [[token.text, round(token.probability, 3)] for token in update.tokens]
    explanation = update.explanation.to_json() if update.explanation else None
    return {"text": update.text, "done": update.done, "tokens": tokens, "explanation": explanation}


@dataclass(frozen=True)
class Handlers:
    """The page's ways to translate, shown as it is decoded or whole through the API, and to answer what views ask."""

    translator: Translator
    seeing: Seeing
    door: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(QUESTIONS_AT_ONCE))
    room: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(IN_FLIGHT))
    """For questions, which do not pass through Gradio's queue: those that may wait, and those that are answered"""

    def stream(self, text: str | None, options: dict | None) -> Iterator[tuple[object, object]]:
        """Yields (`shown` of the translation so far, notice). A closed browser or Stop closes this generator, and that
        ends the decoding."""
        text = text or ""
        try:
            self.translator.check(text)
            with closing(self.translator.stream(text, read_options(options or {}))) as updates:
                for update in throttle(updates):
                    yield shown(update), ""
        except InputError as error:
            yield None, str(error)
        except Exception:
            logger.exception("A translation failed")
            yield gr.skip(), FAILED

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
            raise gr.Error(FAILED, print_exception=False) from error

    def see(self, question: dict) -> dict:
        """{kind, payload} -> {answer}, or {error} in words for the visitor; see malaygpt/seeing.py."""
        if not self.door.acquire(blocking=False):
            return {"error": BUSY}
        try:
            if not self.room.acquire(timeout=SECONDS_TO_WAIT):
                return {"error": BUSY}
            try:
                return {"answer": self.seeing.answer(question["kind"], question["payload"])}
            finally:
                self.room.release()
        except InputError as error:
            return {"error": str(error)}
        except Exception:
            logger.exception("A question could not be answered")
            return {"error": FAILED}
        finally:
            self.door.release()
