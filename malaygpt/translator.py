"""English text to Malay text: segments, tokens, decoding, and back.

A Translator is made once and shared by everyone: it holds the model and the tokenizer and nothing about any request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock

import torch

from malaygpt.checkpoint import load_checkpoint
from malaygpt.decode import greedy, greedy_batch
from malaygpt.hub import find_checkpoint
from malaygpt.model import Transformer
from malaygpt.segment import Segment, segment, split_to_fit, tidy
from malaygpt.tokenizer import SEP_ID, Tokenizer

MAX_CHARS = 5000
"""Longest text that a visitor may send, in characters."""
MAX_SOURCE_TOKENS = 120
"""Longest sentence given to the model whole; train.vocabulary keeps few that are longer."""
LINES_AT_ONCE = 256
"""Lines of a file held in memory together."""
REPLACEMENT = "\ufffd"
_loading = Lock()


class InputError(ValueError):
    """A text that cannot be translated; the message is fit to be shown to whoever sent it."""


@dataclass(frozen=True)
class Update:
    """What is known of a translation so far."""

    text: str
    """All the Malay until now"""
    num_tokens: int
    """Tokens decoded until now"""
    done: bool


class Translator:
    """Translates with one model; safe to call from many threads."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, source: str | Path | None = None, device: str | None = None) -> "Translator":
        """From a checkpoint directory, a Hub repo ("user/name" or "user/name@revision"), or the embedded checkpoint.

        Runs on a GPU when there is one, unless a device is named. Raises CheckpointError.
        """
        model, tokenizer = load_checkpoint(find_checkpoint(source))
        return cls(model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")), tokenizer)

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for p in self._model.parameters())

    @property
    def name(self) -> str:
        """The model in a few words, for people."""
        config = self._model.config
        return (
            f"Transformer, {config.num_encoder_blocks}+{config.num_decoder_blocks} blocks, "
            f"{self.num_parameters / 1e6:.1f} M parameters"
        )

    @property
    def device(self) -> torch.device:
        return self._model.embedding.weight.device

    def check(self, text: str) -> None:
        """Raises InputError for a text that a visitor should change before it is translated."""
        if len(text) > MAX_CHARS:
            raise InputError(f"That is {len(text):,} characters; the most is {MAX_CHARS:,}. Translate it in parts.")
        if not tidy(text).strip():
            raise InputError("Type some English to translate.")

    def translate(self, text: str) -> str:
        """The Malay of a text of any length, its line ends and spacing kept."""
        return next(self.translate_lines([text]))

    def stream(self, text: str) -> Iterator[Update]:
        """The Malay as it is decoded: an update for every token and one when all is done.

        Nothing is computed ahead: closing the iterator stops the work.
        """
        done, num_tokens = "", 0
        for part in self._parts(text):
            if not part.is_sentence:
                done += part.text
                continue
            ids: list[int] = []
            for step in greedy(self._model, [self._tokenizer.encode(part.text)]):
                token = int(step.ids)
                num_tokens += 1
                if token != SEP_ID:
                    ids.append(token)
                    # A token may end within a character, whose other bytes are still to come.
                    yield Update(done + self._text(ids).rstrip(REPLACEMENT), num_tokens, False)
            done += self._text(ids)
        yield Update(done, num_tokens, True)

    def translate_lines(self, lines: Iterable[str]) -> Iterator[str]:
        """The Malay of each line, in order; lines are read and decoded some hundreds at a time."""
        lines = iter(lines)
        while chunk := list(islice(lines, LINES_AT_ONCE)):
            parts = [self._parts(line) for line in chunk]
            sentences = [part.text for line in parts for part in line if part.is_sentence]
            hypotheses = iter(greedy_batch(self._model, self._tokenizer.encode_batch(sentences)))
            for line in parts:
                yield "".join(self._text(next(hypotheses).ids) if part.is_sentence else part.text for part in line)

    def _text(self, ids: Iterable[int]) -> str:
        """One line, whatever the model says: line ends are the visitor's alone."""
        return " ".join(self._tokenizer.decode(ids).split())

    def _parts(self, text: str) -> list[Segment]:
        """The segments of a text, with sentences that are too long for the model cut to pieces."""
        if not isinstance(text, str):
            raise TypeError(f"A text to translate is a str, not {type(text).__name__}.")
        parts = []
        for part in segment(tidy(text)):
            if not part.is_sentence or self._fits(part.text):
                parts.append(part)
                continue
            for piece in split_to_fit(part.text, self._fits):
                parts += segment(piece)
        return parts

    def _fits(self, sentence: str) -> bool:
        return len(self._tokenizer.encode(sentence)) <= min(MAX_SOURCE_TOKENS, self._model.config.max_length - 1)


@lru_cache(maxsize=1)
def default_translator() -> Translator:
    """The translator of the embedded checkpoint, read once a process."""
    return Translator.load()


def malaygpt(text: str) -> str:
    """English in, Malay out (tutorial's last step): `malaygpt("Good morning.")`. Raises CheckpointError, TypeError."""
    with _loading:  # without it, threads that call first together each read the model
        translator = default_translator()
    return translator.translate(text)
