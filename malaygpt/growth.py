"""How the beams of a search grew, as a tree: what each step went on with, what ended, what was cut.

Rows are numbered anew in every step, and name their parent by its number in the step before.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from malaygpt.decode import Step, Token
from malaygpt.engine import NEVER


class Branch(NamedTuple):
    """One token more than a row of the step before has."""

    parent: int
    """Number of that row; 0 in the first step"""
    id: int
    log_prob: float
    total: float
    """Sum over all tokens until now"""
    score: float | None = None
    """What hypotheses are ranked by; None while they go on"""


class Growth(NamedTuple):
    """What one step did. A row that is nobody's parent in the step after it was given up there."""

    rows: tuple[Branch, ...]
    """Those that go on"""
    ended: tuple[Branch, ...]
    cut: tuple[Branch, ...]
    """Likeliest of what was not gone on with, likeliest first, as far as the alternatives of the tokens tell: at most
    as many as rows, or one"""


def grow(steps: Iterable[Step]) -> Iterator[Growth]:
    """For each step what it did. Samples are trees of their own that never branch."""
    # A row is known by its newest token, which is an object of its own.
    numbers: dict[int, int] = {}
    for step in steps:
        going = [row for rows in step.rows.values() for row in rows if row.log_prob > NEVER / 2]
        finished = [hypothesis for _, hypothesis in step.ended]
        rows = [
            Branch(numbers.get(id(row.before.token), 0), row.token.id, row.token.log_prob, row.log_prob)
            for row in going
        ]
        ended = [
            Branch(numbers.get(id(before), 0), token.id, token.log_prob, hypothesis.log_prob, hypothesis.score)
            for hypothesis in finished
            for before, token in [(None, *hypothesis.tokens)[-2:]]
        ]
        newest = [*(row.token for row in going), *(hypothesis.tokens[-1] for hypothesis in finished)]
        cut = _cut([*rows, *ended], newest)
        yield Growth(tuple(rows), tuple(ended), tuple(cut[: max(1, len(rows))]))
        numbers = {id(row.token): number for number, row in enumerate(going)}


def _cut(chosen: list[Branch], tokens: list[Token]) -> list[Branch]:
    """The alternatives to the tokens that were chosen, but for these themselves"""
    taken = {(branch.parent, branch.id) for branch in chosen}
    others = {
        (branch.parent, i): Branch(branch.parent, i, log_prob, branch.total - branch.log_prob + log_prob)
        for branch, token in zip(chosen, tokens, strict=True)
        for i, log_prob in token.alternatives
        if (branch.parent, i) not in taken
    }
    return sorted(others.values(), key=lambda branch: -branch.total)
