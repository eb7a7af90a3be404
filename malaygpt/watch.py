"""Translates a sentence while somebody watches: every step is told of, and what came of it explained (explain.py).

The same attempts as for whoever only wants the Malay, and the same Malay; what differs is that one sentence is decoded
at a time, a step at a time, with the alternatives at each place and the runners-up among the hypotheses.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from malaygpt.attempts import NUM_HYPOTHESES, Attempts, Request
from malaygpt.decode import Hypothesis, Row, SearchOptions, search
from malaygpt.engine import Engine
from malaygpt.explain import NUM_ALTERNATIVES, Part, Sentence, Shown
from malaygpt.guard import split_around
from malaygpt.retrace import Decoding, retrace, say, show
from malaygpt.segment import tidy
from malaygpt.tokenizer import SEP_ID, Tokenizer

NO_REPEAT_NGRAM = 4
"""Shortest run of tokens that is not said twice when a sentence that looped is decoded again"""
NO_SPACE_BEFORE = ".,:;!?)]}…”’%"
"""Signs that stand next to the word before them"""

Seen = tuple[Attempts, tuple[Row, ...]]
"""An attempt that is being decoded, and the rows that go on after a step; none while nothing of them is to be shown"""


def options_for(request: Request, options: SearchOptions) -> SearchOptions:
    """These, as the request wants them. Greedy decoding has one hypothesis, however many are wanted."""
    wanted = max(options.num_hypotheses, request.num_hypotheses)
    return replace(
        options,
        num_hypotheses=wanted if options.temperature else min(wanted, options.num_beams),
        no_repeat_ngram=options.no_repeat_ngram if request.may_repeat else NO_REPEAT_NGRAM,
    )


class Returning:
    """Iterates over a generator and keeps what it returns, as `value`."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def __iter__(self) -> Iterator:
        self.value = yield from self._generator

    @classmethod
    def result(cls, generator: Generator) -> object:
        """What the generator returns, once it is drained"""
        returning = cls(generator)
        for _ in returning:
            pass
        return returning.value


@dataclass(frozen=True)
class Watcher:
    """Holds what translating takes and nothing of any request."""

    engine: Engine
    tokenizer: Tokenizer

    def watch(self, attempt: Attempts, options: SearchOptions) -> Generator[Seen, None, list[Part]]:
        """Decodes until the attempts at a sentence are done; returns its parts, of which it is several when no attempt
        brought back what was hidden."""
        sentence, attempts = yield from self._settle(attempt, options)
        if sentence is not None:
            return [Part(sentence.english, sentence.malay, sentence)]
        parts = []
        for text, has_words in split_around(attempt.sentence):
            if not has_words:
                parts.append(Part(text, text))
                continue
            settling = Returning(self._settle(Attempts.begin_unprotected(text), options, attempts))
            for later, _ in settling:
                yield later, ()
            sentence, _ = settling.value
            parts.append(Part(text, sentence.malay, sentence))
        return parts

    def show(self, seen: Seen) -> tuple[Shown, ...] | None:
        """What can be shown of the likeliest row. None for what changes nothing: further attempts show nothing."""
        attempt, rows = seen
        if not rows or attempt.number > 1:
            return None
        return show(max(rows, key=lambda row: row.log_prob).tokens(), attempt.protected, self.tokenizer)

    def choose(self, sentence: Sentence, position: int, choice: int | str, is_guarded: bool) -> Sentence:
        """The sentence with another token, or another word, at this place among its tokens, and what follows from it.

        Raises ValueError for a place or a token that there is not, and for a choice that loses what must be kept.
        """
        if not 0 <= position < len(sentence.tokens):
            raise ValueError(f"There is no token {position}; the sentence has {len(sentence.tokens)}, counted from 0.")
        protected = sentence.protected
        request = Request(protected.text, num_hypotheses=NUM_HYPOTHESES)
        attempt = Attempts(sentence.english, protected, request, is_guarded=is_guarded)
        if choice == SEP_ID:
            decoding = self._end(sentence, position)
        else:
            prefix = [*sentence.ids[:position], *self._ids(sentence, position, choice)]
            decoding = Returning.result(self._decode(attempt, sentence.options, prefix))
        malay = attempt.after(list(decoding.texts), self._num_pieces).best
        if malay is None:
            lost = [item.span for item in protected.hidden if decoding.texts[0].count(item.stand_in) != 1]
            raise ValueError(f"With that choice the translation loses {', '.join(lost)}; choose another.")
        return retrace(decoding, sentence.english, malay, sentence.attempts, self.tokenizer)

    def _settle(
        self, attempt: Attempts, options: SearchOptions, attempts: int = 0
    ) -> Generator[Seen, None, tuple[Sentence | None, int]]:
        """The sentence that attempts lead to, and how many there were with those before them."""
        found = None
        while attempt.request is not None:
            asked = replace(
                options_for(attempt.request, options), num_alternatives=options.num_alternatives or NUM_ALTERNATIVES
            )
            decoding = yield from self._decode(attempt, asked, self.tokenizer.encode(attempt.request.prefix))
            later = attempt.after(list(decoding.texts[: attempt.request.num_hypotheses]), self._num_pieces)
            if later.best != attempt.best:
                found = decoding
            attempt = later
        attempts += attempt.number
        if found is None:
            return None, attempts
        return retrace(found, attempt.sentence, attempt.best, attempts, self.tokenizer), attempts

    def _decode(self, attempt: Attempts, options: SearchOptions, prefix: list[int]) -> Generator[Seen, None, Decoding]:
        """Yields the attempt and the rows that it has come to, after each token."""
        source = self.tokenizer.encode(attempt.request.text)
        searching = Returning(search(self.engine, [source], options, [prefix]))
        steps = []
        for step in searching:
            steps.append(step)
            yield attempt, tuple(row for rows in step.rows.values() for row in rows)
        (hypotheses,) = searching.value
        return Decoding(
            attempt.protected,
            tuple(source),
            len(prefix),
            options,
            tuple(steps),
            tuple(hypotheses),
            texts=tuple(say(hypothesis.ids, self.tokenizer).text for hypothesis in hypotheses),
        )

    def _end(self, sentence: Sentence, position: int) -> Decoding:
        """The sentence ended at this place, which takes no decoding: how likely that is has been told there."""
        token = sentence.tokens[position].token
        log_probs = dict(token.alternatives)
        if not position or SEP_ID not in log_probs:
            raise ValueError("The sentence cannot end there; choose another token or place.")
        tokens = [said.token for said in sentence.tokens[:position]]
        tokens.append(token._replace(id=SEP_ID, log_prob=log_probs[SEP_ID]))
        total = sum(each.log_prob for each in tokens)
        score = total / min(len(tokens), len(sentence.source)) ** sentence.options.length_penalty
        return Decoding(
            sentence.protected,
            tuple(sentence.source_ids[:-1]),
            len(tokens),
            sentence.options,
            steps=(),
            hypotheses=(Hypothesis(tuple(tokens), total, score, complete=True),),
            texts=(say(sentence.ids[:position], self.tokenizer).text,),
        )

    def _ids(self, sentence: Sentence, position: int, choice: int | str) -> list[int]:
        """The tokens of a choice. A word has a space before it, unless it goes on with another or begins the text."""
        if isinstance(choice, int):
            most = self.tokenizer.vocab_size - 1
            if not SEP_ID < choice <= most:
                raise ValueError(f"There is no token {choice} of text; they are {SEP_ID + 1} to {most}.")
            return [choice]
        word = " ".join(tidy(choice).split())
        if not word:
            raise ValueError("The word to say is empty; type one.")
        goes_on = any(position in each.tokens[1:] for each in sentence.words)
        has_space = position and not goes_on and word[0] not in NO_SPACE_BEFORE
        return self.tokenizer.encode(" " * has_space + word)

    def _num_pieces(self, word: str) -> int:
        return len(self.tokenizer.encode(word))
