"""What the views of the page ask of the translator, JSON in and JSON out.

`Seeing.answer(kind, payload)` answers one question. Each stands by itself: what it is about comes with it, so that
nothing of a visitor is kept between two of them. The kinds, and what they take:

    attention    {source, tokens}   attention_json() of explain.py; the ids of a sentence's source and tokens
    attribution  {source, tokens}   Occlusion.to_json() of attribution.py
    choose       {english, options, said, choices}
                                    {sentence, pieces}: a sentence as in explain.py, decoded again with other
                                    choices. `english` is the sentence's, `options` those of its text, `choices`
                                    [[position, token id or word]] all of the reader's, in order; `said` the ids of the
                                    tokens that stood there when the last of them was made
    search       {text, options}    Explanation.to_json() of explain.py
    parts        {}                 parts_json() of comparing.py
    break        {text, breakages}  Comparison.to_json() of comparing.py; breakages as Breakage.parse reads them
    timeline     {}                 a timeline as in timeline.py, or null

Options are those of SearchOptions by their names, where they differ from how a text is translated.
"""

from dataclasses import replace
from functools import cached_property

import torch

from malaygpt.attribution import occlude
from malaygpt.broken import Breakage
from malaygpt.comparing import compare, parts_json
from malaygpt.decode import SearchOptions
from malaygpt.explain import MOST_HYPOTHESES, Explanation, attention_json
from malaygpt.figures import figures, lines
from malaygpt.timeline import load_timeline
from malaygpt.tokenizer import CLS_ID
from malaygpt.translator import EXPLAINED, MAX_SOURCE_TOKENS, InputError, Translator

OPTIONS = ("num_beams", "length_penalty", "temperature", "top_k", "top_p", "seed", "no_repeat_ngram")
"""What a visitor may choose of SearchOptions. Lengths could cut a translation short unseen."""
LIMITS = {"num_beams": (1, 8), "length_penalty": (0, 100), "temperature": (1e-3, 1000)}
"""Within these nothing outgrows the numbers that a search computes with, nor what one visitor may ask of a server"""
LONGEST_SENTENCE = 1500
"""Characters: a sentence that the model reads whole has fewer, links in it included"""
MOST_SOURCE = MAX_SOURCE_TOKENS + 1
MOST_TARGET = 2 * MOST_SOURCE + 16
"""Tokens of a sentence, [SEP] included, see SearchOptions.max_length"""
MOST_CHOICES = 50
MOST_BREAKAGES = 20
LONGEST_WORD = 100
"""Characters of a word that the reader types in the place of another"""


class Seeing:
    """Answers many visitors at once; holds the translator and nothing of any question."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator
        self._answers = {
            "attention": self.attention,
            "attribution": self.attribution,
            "choose": self.choose,
            "search": self.search,
            "parts": self.parts,
            "break": self.compare,
            "timeline": self.timeline,
        }

    def answer(self, kind: str, payload: dict) -> dict | None:
        """Raises InputError, in words for the visitor, for a question that cannot be answered."""
        try:
            return self._answers[kind](**payload)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(str(error)) from error
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError("That question is malformed.") from error

    def attention(self, source: list[int], tokens: list[int]) -> dict:
        src, tgt = self._ids(source, tokens)
        return attention_json(self._translator.exact.attend(src, tgt[:, :-1]))

    def attribution(self, source: list[int], tokens: list[int]) -> dict:
        src, tgt = self._ids(source, tokens)
        return occlude(self._translator.exact, src, tgt).to_json()

    def _ids(self, source: list[int], tokens: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """(1, S), and (1, 1 + T) with [CLS] before the tokens"""
        config = self._translator.model.config
        for ids, most in ((source, MOST_SOURCE), (tokens, MOST_TARGET)):
            _require(ids, list)
            if not 0 < len(ids) <= min(most, config.max_length):
                raise ValueError(f"That is {len(ids)} tokens; they must be from 1 to {min(most, config.max_length)}.")
            if not all(type(i) is int and 0 <= i < config.vocab_size for i in ids):
                raise ValueError(f"Tokens are whole numbers from 0 to {config.vocab_size - 1}.")
        device = self._translator.device
        return torch.tensor([source], device=device), torch.tensor([[CLS_ID, *tokens]], device=device)

    def choose(self, english: str, options: dict, said: list[int], choices: list[list[int | str]]) -> dict:
        self._check(english)
        _require(choices, list)
        if not 0 < len(choices) <= MOST_CHOICES:
            raise ValueError(f"That is {len(choices)} choices in one sentence; they must be from 1 to {MOST_CHOICES}.")
        explanation = self._translator.explain_sentence(english, read_options(options))
        for number, each in enumerate(choices, 1):
            position, choice = _read_choice(each)
            if number == len(choices) and [sentence.ids for sentence in explanation.sentences] != [said]:
                raise ValueError("The translation has changed meanwhile; translate it again.")
            explanation = self._translator.choose(explanation, 0, position, choice)
        (sentence,) = explanation.sentences
        return {"sentence": sentence.to_json(), "pieces": {str(i): text for i, text in sentence.pieces.items()}}

    def search(self, text: str, options: dict) -> dict:
        return self.explain(text, read_options(options)).to_json()

    def explain(self, text: str, options: SearchOptions) -> Explanation:
        self._check(text)
        return self._translator.explain(text, options)

    def parts(self) -> dict:
        return parts_json(self._translator.model.config)

    def compare(self, text: str, breakages: list[str]) -> dict:
        self._check(text)
        _require(breakages, list)
        if len(breakages) > MOST_BREAKAGES:
            raise ValueError(f"That is {len(breakages)} breakages; the most at once is {MOST_BREAKAGES}.")
        broken = [Breakage.parse(each) for each in breakages]
        return compare(self._translator.exact, self._translator.tokenizer, text, broken).to_json()

    def timeline(self) -> dict | None:
        return self._timeline

    @cached_property
    def _timeline(self) -> dict | None:
        """Read and checked once: the file of a checkpoint stays as it is."""
        directory = self._translator.directory
        return None if directory is None else load_timeline(directory)

    def _check(self, text: str) -> None:
        _require(text, str)
        self._translator.check(text)
        if len(text) > LONGEST_SENTENCE:
            raise ValueError(f"That is {len(text):,} characters; a sentence has at most {LONGEST_SENTENCE:,} here.")

    def figures(self, source: str) -> dict:
        """The model in numbers, and a link for each to its line in the page `source`"""
        links = {name: f"{source}#L{line}" for name, line in lines().items()}
        return {**figures(self._translator.model), "links": links}


def read_options(given: dict) -> SearchOptions:
    """How a text is translated, but for these. Raises InputError for what is no option or cannot be done."""
    if not isinstance(given, dict):
        raise InputError("Options are an object, such as {}.")
    if unknown := sorted(set(given) - set(OPTIONS)):
        raise InputError(f"There is no option {unknown[0]!r}; choose among {', '.join(OPTIONS)}.")
    for name, (least, most) in LIMITS.items():
        value = given.get(name)
        if isinstance(value, int | float) and not least <= value <= most:
            raise InputError(f"{name} is {value!r}; it must be from {least} to {most}.")
    # Samples are drawn one token at a time, and beams are not.
    is_sampling = given.get("temperature") is not None
    num_beams = given.get("num_beams", 1 if is_sampling else EXPLAINED.num_beams)
    try:
        wanted = replace(SearchOptions(), num_alternatives=EXPLAINED.num_alternatives, num_beams=num_beams)
        return replace(wanted, **given, num_hypotheses=min(MOST_HYPOTHESES, num_beams))
    except (TypeError, ValueError) as error:
        raise InputError(str(error)) from error


def _read_choice(choice: list) -> tuple[int, int | str]:
    """Raises TypeError, or ValueError for a word that is too long."""
    _require(choice, list)
    if [type(each) for each in choice] not in ([int, int], [int, str]):
        raise TypeError("A choice is a position and a token or a word.")
    position, chosen = choice
    if isinstance(chosen, str) and len(chosen) > LONGEST_WORD:
        raise ValueError(f"A word has at most {LONGEST_WORD} characters; that one has {len(chosen)}.")
    return position, chosen


def _require(value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}.")
