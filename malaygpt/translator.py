"""English text to Malay text: segments, tokens, decoding, and back.

A Translator is made once and shared by everyone: it holds the model and the tokenizer and nothing about any request.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import torch

from malaygpt.attempts import Attempts, Request
from malaygpt.checkpoint import load_checkpoint, load_shortlist
from malaygpt.decode import Hypothesis, SearchOptions, search_batch
from malaygpt.engine import Engines, Shortlist
from malaygpt.explain import MOST_HYPOTHESES, NUM_ALTERNATIVES, Explanation, Part, Sentence, Shown, attend
from malaygpt.guard import split_around
from malaygpt.hub import find_checkpoint
from malaygpt.linear import Form
from malaygpt.model import Attention, Transformer
from malaygpt.segment import Segment, segment, split_to_fit, tidy
from malaygpt.tokenizer import Tokenizer
from malaygpt.watch import Returning, Watcher, options_for

MAX_CHARS = 5000
"""Longest text that a visitor may send, in characters."""
MAX_SOURCE_TOKENS = 120
"""Longest sentence given to the model whole; train.vocabulary keeps few that are longer."""
LINES_AT_ONCE = 256
"""Most lines translated together"""
CHARS_AT_ONCE = 100_000
"""Once lines have so many characters, no more are added to those translated together."""
NUM_BEAMS = 4
BEAMS = SearchOptions(num_beams=NUM_BEAMS)
"""How a text is translated"""
EXPLAINED = replace(BEAMS, num_hypotheses=MOST_HYPOTHESES, num_alternatives=NUM_ALTERNATIVES)
"""The same for a text whose translation is to be explained: it comes out as the same"""
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
    tokens: tuple[Shown, ...] = ()
    """What `text` ends with: the sentence being decoded, in stretches, with the probability of what was said of each"""
    explanation: Explanation | None = field(default=None, compare=False, repr=False)
    """How the translation came about, once all is done"""


class Translator:
    """Translates with one model; safe to call from many threads."""

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        shortlist: Shortlist | None = None,
        form: Form | None = None,
        guarded: bool = True,
        directory: Path | None = None,
    ) -> None:
        """`form` is the arithmetic; without one, the fastest for this machine.

        `guarded`: links, numbers, names and the like come out as they went in, and loops end (guard.py).
        `directory`: of the checkpoint, for what else is in it.
        """
        self.tokenizer = tokenizer
        self.directory = directory
        self.model = model
        self._engines = Engines(model, shortlist, form)
        self._watcher = Watcher(self._engines.alone, tokenizer)
        self._guarded = guarded
        self._in_float32 = model if model.embedding.weight.dtype == torch.float32 else None
        self._copying = Lock()

    @classmethod
    def load(
        cls,
        source: str | Path | None = None,
        device: str | None = None,
        form: Form | None = None,
        guarded: bool = True,
    ) -> "Translator":
        """From a checkpoint directory, a Hub repo ("user/name" or "user/name@revision"), or the embedded checkpoint.

        Runs on a GPU when there is one, unless a device is named. Raises CheckpointError.
        """
        directory = find_checkpoint(source)
        model, tokenizer = load_checkpoint(directory, dtype=None)
        shortlist = load_shortlist(directory, model.config.vocab_size)
        model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(model, tokenizer, shortlist, form, guarded, directory)

    @property
    def num_parameters(self) -> int:
        return self.model.num_parameters

    @property
    def name(self) -> str:
        """The model in a few words, for people."""
        config = self.model.config
        return (
            f"Transformer, {config.num_encoder_blocks}+{config.num_decoder_blocks} blocks, "
            f"{self.num_parameters / 1e6:.1f} M parameters"
        )

    @property
    def device(self) -> torch.device:
        return self.model.embedding.weight.device

    def check(self, text: str) -> None:
        """Raises InputError for a text that a visitor should change before it is translated."""
        if len(text) > MAX_CHARS:
            raise InputError(f"That is {len(text):,} characters; the most is {MAX_CHARS:,}. Translate it in parts.")
        if not tidy(text).strip():
            raise InputError("Type some English to translate.")

    def translate(self, text: str) -> str:
        """The Malay of a text of any length, its line ends and spacing kept: the last that `stream` yields."""
        return self._translate([text], together=False)[0]

    def translate_lines(self, lines: Iterable[str]) -> Iterator[str]:
        """The Malay of each line, in order; lines are read and decoded some hundreds at a time."""
        for window in windows(lines):
            yield from self.translate_together(window)

    def translate_together(self, texts: list[str]) -> list[str]:
        """The Malay of each text; sentences of like length are decoded together, whichever text they belong to."""
        return self._translate(texts, together=True)

    def _translate(self, texts: list[str], together: bool) -> list[str]:
        parts = [self._parts(text) for text in texts]
        attempts = [self._begin(part.text) for text in parts for part in text if part.is_sentence]
        malay = iter([self._outcome(attempt, together) for attempt in self._settle(attempts, together)])
        return ["".join(next(malay) if part.is_sentence else part.text for part in text) for text in parts]

    def stream(self, text: str, options: SearchOptions = EXPLAINED) -> Iterator[Update]:
        """The Malay as it is decoded: an update for every token and one, with its explanation, when all is done.

        What is shown of a sentence is the likeliest beam, which may give way to another until the sentence is done, and
        be put right once faults are found in it. Nothing is computed ahead: closing the iterator stops the work.
        """
        parts: list[Part] = []
        done, num_tokens = "", 0
        for part in self._parts(text):
            if not part.is_sentence:
                parts.append(Part(part.text, part.text))
                done += part.text
                continue
            shown: tuple[Shown, ...] = ()
            watched = Returning(self._watcher.watch(self._begin(part.text), options))
            for seen in watched:
                num_tokens += 1
                newer = self._watcher.show(seen)
                shown = shown if newer is None else newer
                yield Update(done + "".join(each.text for each in shown), num_tokens, False, shown)
            parts += watched.value
            done += "".join(each.malay for each in watched.value)
        yield Update(done, num_tokens, True, explanation=Explanation(tuple(parts), options))

    def explain(self, text: str, options: SearchOptions = EXPLAINED) -> Explanation:
        """The translation of a text and how it came about, from one decoding.

        Other options explain another search: `SearchOptions()` is greedy, one with a temperature samples. Alternatives
        are always told of.
        """
        parts: list[Part] = []
        for part in self._parts(text):
            if part.is_sentence:
                parts += Returning.result(self._watcher.watch(self._begin(part.text), options))
            else:
                parts.append(Part(part.text, part.text))
        return Explanation(tuple(parts), options)

    def explain_sentence(self, sentence: str, options: SearchOptions = EXPLAINED) -> Explanation:
        """The same of one sentence, which is not cut further."""
        return Explanation(tuple(Returning.result(self._watcher.watch(self._begin(sentence), options))), options)

    def attend(self, sentence: Sentence) -> Attention:
        """As explain.attend, in float32"""
        return attend(self.exact, sentence)

    @property
    def exact(self) -> Transformer:
        """The model in float32: a copy, if it is stored shorter, made when it is first wanted and shared by all."""
        with self._copying:
            if self._in_float32 is None:
                self._in_float32 = copy.deepcopy(self.model).float()
        return self._in_float32

    def choose(self, explanation: Explanation, sentence: int, position: int, choice: int | str) -> Explanation:
        """The same text with another token, or another word that the reader typed, at this place among a sentence's
        tokens. Only what follows it in the sentence is decoded anew.

        Raises ValueError for a place or a token that there is not, and for a choice that loses what must be kept.
        """
        numbers = [i for i, part in enumerate(explanation.parts) if part.sentence is not None]
        if not 0 <= sentence < len(numbers):
            raise ValueError(f"There is no sentence {sentence}; the text has {len(numbers)}, counted from 0.")
        parts = list(explanation.parts)
        place = numbers[sentence]
        chosen = self._watcher.choose(parts[place].sentence, position, choice, self._guarded)
        parts[place] = Part(chosen.english, chosen.malay, chosen)
        return replace(explanation, parts=tuple(parts))

    def _begin(self, sentence: str) -> Attempts:
        return Attempts.begin(sentence) if self._guarded else Attempts.begin_unguarded(sentence)

    def _settle(self, attempts: list[Attempts], together: bool) -> list[Attempts]:
        """Decodes what the attempts ask for until none asks for more: at first all together, then those with faults."""
        attempts = list(attempts)
        while waiting := [i for i, attempt in enumerate(attempts) if attempt.request is not None]:
            decoded = self._decode([attempts[i].request for i in waiting], together)
            for i, hypotheses in zip(waiting, decoded, strict=True):
                attempts[i] = attempts[i].after(hypotheses, self._num_pieces)
        return attempts

    def _outcome(self, attempt: Attempts, together: bool) -> str:
        """The Malay of a settled sentence; when none has all that was hidden, what stands around it is translated."""
        if attempt.best is not None:
            return attempt.best
        stretches = split_around(attempt.sentence)
        attempts = [Attempts.begin_unprotected(text) for text, has_words in stretches if has_words]
        settled = iter(self._settle(attempts, together))
        return "".join(next(settled).best if has_words else text for text, has_words in stretches)

    def _decode(self, requests: list[Request], together: bool) -> list[list[str]]:
        """The hypotheses of each request, best first; those of one kind are decoded together, or else one by one."""
        engine, at_once = (self._engines.together, None) if together else (self._engines.alone, 1)
        hypotheses: list[list[str]] = [[]] * len(requests)
        all_options = [options_for(request, BEAMS) for request in requests]
        for options in dict.fromkeys(all_options):
            chosen = [i for i, each in enumerate(all_options) if each == options]
            sources = self.tokenizer.encode_batch([requests[i].text for i in chosen])
            prefixes = self.tokenizer.encode_batch([requests[i].prefix for i in chosen])
            for i, found in zip(chosen, search_batch(engine, sources, options, prefixes, at_once), strict=True):
                hypotheses[i] = self._texts(found)
        return hypotheses

    def _texts(self, hypotheses: list[Hypothesis]) -> list[str]:
        return [self._text(hypothesis.ids) for hypothesis in hypotheses]

    def _num_pieces(self, word: str) -> int:
        return len(self.tokenizer.encode(word))

    def _text(self, ids: Iterable[int]) -> str:
        """One line, whatever the model says: line ends are the visitor's alone."""
        return " ".join(self.tokenizer.decode(ids).split())

    def _parts(self, text: str) -> list[Segment]:
        """The segments of a text, with sentences that are too long for the model cut to pieces."""
        if not isinstance(text, str):
            raise TypeError(f"A text to translate is a str, not {type(text).__name__}.")
        parts = []
        for part in segment(tidy(text)):
            if part.is_sentence and not self._fits(part.text):
                parts += [piece for cut in split_to_fit(part.text, self._fits) for piece in segment(cut)]
            else:
                parts.append(part)
        return [Segment(part.text, part.is_sentence and self._begin(part.text).protected.has_words) for part in parts]

    def _fits(self, sentence: str) -> bool:
        ids = self.tokenizer.encode(self._begin(sentence).protected.text)
        return len(ids) <= min(MAX_SOURCE_TOKENS, self.model.config.max_length - 1)


def windows(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines in turn, as many at a time as are translated together."""
    window, num_chars = [], 0
    for line in lines:
        window.append(line)
        num_chars += len(line)
        if len(window) == LINES_AT_ONCE or num_chars >= CHARS_AT_ONCE:
            yield window
            window, num_chars = [], 0
    if window:
        yield window


@lru_cache(maxsize=1)
def default_translator() -> Translator:
    """The translator of the embedded checkpoint, read once a process."""
    return Translator.load()


def malaygpt(text: str) -> str:
    """English in, Malay out (tutorial's last step): `malaygpt("Good morning.")`. Raises CheckpointError, TypeError."""
    with _loading:  # without it, threads that call first together each read the model
        translator = default_translator()
    return translator.translate(text)
