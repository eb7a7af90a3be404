"""The pairs that the project ships, in train/pairs."""

from collections import Counter
from pathlib import Path

import pytest

from train import corpus

PAIRS = Path(corpus.__file__).parent / "pairs"
SOURCES = corpus.find_sources([str(PAIRS)])


def test_there_are_thousands_in_the_best_tier():
    faults = Counter()
    assert {source.tier for source in SOURCES} == {"1"}
    assert sum(1 for source in SOURCES for _ in source.read(faults)) > 10_000
    assert not faults


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_pair_is_fit_to_train_on(source):
    faults = Counter()
    raw = list(source.read(faults))
    assert list(corpus.usable_pairs(raw, set(), faults)) == raw  # as they stand: clean, none twice
    assert not faults


def test_no_english_sentence_stands_twice():
    english = Counter(corpus.fingerprint(pair.english) for source in SOURCES for pair in source.read(Counter()))
    assert [sentence for sentence, count in english.items() if count > 1] == []
