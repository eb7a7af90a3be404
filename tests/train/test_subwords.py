"""Merges undone: another spelling of the same text, as often as was asked, and the same again from the same seed."""

import numpy as np
import pytest

from malaygpt.hub import EMBEDDED
from malaygpt.tokenizer import PAD_ID, Tokenizer
from train.subwords import MergeDropout

TEXT = "Kanak-kanak itu memakan 12 biji rambutan di pasar malam \U0001f600."


@pytest.fixture(scope="module")
def embedded() -> Tokenizer:
    return Tokenizer.load(EMBEDDED / "tokenizer.json")


def ids_of(tokenizer: Tokenizer, text: str = TEXT) -> np.ndarray:
    return np.array(tokenizer.encode(text), np.uint16)


def test_halves_spell_the_token_that_they_made(embedded):
    halves = embedded.halves()
    assert len(halves) > 7000
    for whole, parts in list(halves.items())[::97]:
        assert embedded.decode(parts) == embedded.decode([whole])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_the_text_stays_what_it_was(embedded, p: float):
    dropout, ids = MergeDropout(embedded, p), ids_of(embedded)
    for seed in range(20):
        split = dropout(ids, 1000, np.random.default_rng(seed))
        assert embedded.decode(split) == TEXT and PAD_ID not in split
        assert (len(split) > len(ids)) if p == 1 else True
    assert p > 0 or np.array_equal(split, ids)


def test_without_any_merge_a_text_is_its_bytes(embedded):
    split = MergeDropout(embedded, 1.0)(ids_of(embedded), 1000, np.random.default_rng(0))
    assert len(split) == len(TEXT.encode())


def test_merges_are_undone_as_often_as_was_asked(embedded):
    """Of words of two bytes, whose halves cannot fall further."""
    halves = embedded.halves()
    pairs = [whole for whole, parts in halves.items() if not any(part in halves for part in parts)]
    ids = np.array(pairs * 200, np.uint16)
    split = MergeDropout(embedded, 0.1)(ids, 10**9, np.random.default_rng(0))
    assert (len(split) - len(ids)) / len(ids) == pytest.approx(0.1, abs=0.01)


def test_the_same_generator_gives_the_same_pieces_and_another_does_not(embedded):
    dropout, ids = MergeDropout(embedded, 0.3), ids_of(embedded)
    first, again, other = (dropout(ids, 1000, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_what_would_be_too_long_is_left_whole(embedded):
    dropout, ids = MergeDropout(embedded, 1.0), ids_of(embedded)
    assert np.array_equal(dropout(ids, len(TEXT.encode()) - 1, np.random.default_rng(0)), ids)
    assert len(dropout(ids, len(TEXT.encode()), np.random.default_rng(0))) > len(ids)
