"""The attempts at one sentence: what the model is to decode next, until it comes out faultless or attempts run out.

The first attempt hides only what the model must not see. After a fault the next one hides what was lost as well, in
stand-ins of another form where those did not come back, and asks for several hypotheses; after a loop it goes on from
where the loop began. What was hidden is never lost: a sentence of which no attempt brings all of it back has no
translation here, and is left to be cut around it.

Text only; decoding is translator.py's. No value changes: each attempt makes the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from malaygpt.guard import Faults, Protected, cut_loops, find_faults, find_loop, protect, restore

MOST_ATTEMPTS = 4
NUM_HYPOTHESES = 4
"""Asked for after the first attempt"""


@dataclass(frozen=True)
class Request:
    """One thing to decode."""

    text: str
    """What the model is to read"""
    prefix: str = ""
    """What the translation is to begin with"""
    num_hypotheses: int = 1
    may_repeat: bool = True
    """Whether a few words that were said may be said again"""


@dataclass(frozen=True)
class Attempts:
    """A sentence on its way."""

    sentence: str
    protected: Protected
    request: Request | None
    """What to decode next; None when all is done"""
    best: str | None = None
    """The least faulty translation so far; None while none holds all that was hidden"""
    faults: Faults | None = None
    """Those of `best`"""
    lost: frozenset[str] = frozenset()
    """What the model has read and lost, and shall not read again"""
    style: int = 0
    """Of the stand-ins"""
    number: int = 1
    """Of the attempt that `request` is"""
    is_guarded: bool = True

    @classmethod
    def begin(cls, sentence: str) -> "Attempts":
        protected = protect(sentence)
        return cls(sentence, protected, Request(protected.text))

    @classmethod
    def begin_unprotected(cls, sentence: str) -> "Attempts":
        """The model reads it as it is, at first: this always ends with a translation."""
        return cls(sentence, Protected(sentence, ()), Request(sentence))

    @classmethod
    def begin_unguarded(cls, sentence: str) -> "Attempts":
        """The model reads it as it is, and is believed."""
        return cls(sentence, Protected(sentence, ()), Request(sentence), is_guarded=False)

    def after(self, hypotheses: list[str], num_pieces: Callable[[str], int]) -> "Attempts":
        """What is known once the request has been decoded, to these texts, best first; none if it cannot be met."""
        if not self.is_guarded:
            return replace(self, best=hypotheses[0], request=None)
        best, faults, lost, is_restored = self.best, self.faults, self.lost, False
        for hypothesis in hypotheses:
            malay = restore(self.protected, hypothesis)
            if malay is None:
                continue
            is_restored = True
            found = find_faults(self.sentence, malay, num_pieces)
            if not found.has_loop:
                lost |= found.lost
            if faults is None or found.count < faults.count:
                best, faults = cut_loops(malay) if found.has_loop else malay, found
        now = replace(self, best=best, faults=faults)
        if (faults is not None and not faults.count) or self.number == MOST_ATTEMPTS:
            return replace(now, request=None)
        end = find_loop(hypotheses[0], self.sentence) if hypotheses else None
        if end is not None and self.request.may_repeat:
            return now._go_on(hypotheses[0][:end])
        later = now._hide(lost, self.style + (not is_restored))
        return replace(now, request=None) if later.request == self.request else later

    def _go_on(self, until_loop: str) -> "Attempts":
        """The same again, but from where it began to loop."""
        prefix, _, _ = until_loop.rpartition(" ")  # the loop may have been seen to begin within a word
        request = Request(self.protected.text, prefix, NUM_HYPOTHESES, may_repeat=False)
        return replace(self, request=request, number=self.number + 1)

    def _hide(self, lost: frozenset[str], style: int) -> "Attempts":
        protected = protect(self.sentence, style, lost)
        request = Request(protected.text, "", NUM_HYPOTHESES, self.request.may_repeat)
        return replace(self, protected=protected, request=request, lost=lost, style=style, number=self.number + 1)
