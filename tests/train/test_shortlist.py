"""Who translates whom, learnt from pairs in which that is known; and the stage, from packed pairs to a file."""

import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from malaygpt.checkpoint import load_shortlist
from malaygpt.decode import SearchOptions, search_batch
from malaygpt.engine import FlatEngine, Shortlist
from malaygpt.model import ModelConfig, build_model
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, SPECIAL_TOKENS, UNK_ID, Tokenizer
from tests.train.grammar import OBJECTS, SUBJECTS, TIMES, VERBS
from train.packed import PackedPairs
from train.shortlist import learn_shortlist, main

NUM_BYTES = 256
NUM_WORDS = 30
FIRST_ENGLISH = len(SPECIAL_TOKENS) + NUM_BYTES
FIRST_MALAY = FIRST_ENGLISH + NUM_WORDS
ITSELF = FIRST_MALAY + NUM_WORDS
"""A word that every Malay sentence says three times, and for which there is no English"""
UNSEEN = ITSELF + 1
VOCAB = UNSEEN + 1


class InventedPairs:
    """Sentences in which English word n is always Malay word n, in whatever order"""

    def __init__(self, num_pairs: int = 400) -> None:
        numbers = random.Random(0)
        words = [numbers.sample(range(NUM_WORDS), numbers.randint(1, 6)) for _ in range(num_pairs)]
        self._src = [[FIRST_ENGLISH + word for word in sentence] for sentence in words]
        self._tgt = [[*[ITSELF] * 3, *(FIRST_MALAY + word for word in numbers.sample(s, len(s)))] for s in words]
        self.src_lengths, self.tgt_lengths = (np.array([len(s) for s in side]) for side in (self._src, self._tgt))

    def __len__(self) -> int:
        return len(self._src)

    def src(self, index: int) -> np.ndarray:
        return np.array(self._src[index], np.uint16)

    def tgt(self, index: int) -> np.ndarray:
        return np.array(self._tgt[index], np.uint16)


@pytest.fixture(scope="module")
def invented() -> Shortlist:
    return learn_shortlist(InventedPairs(), VOCAB, num_candidates=3, num_common=1)


def test_every_word_is_paired_with_its_translation_before_all_others(invented: Shortlist):
    best = invented.candidates[FIRST_ENGLISH : FIRST_ENGLISH + NUM_WORDS, 0]
    assert best.tolist() == list(range(FIRST_MALAY, FIRST_MALAY + NUM_WORDS))


def test_what_is_common_is_the_end_every_byte_and_what_the_candidates_miss_most():
    found = learn_shortlist(InventedPairs(), VOCAB, num_candidates=1, num_common=1)
    assert found.common.tolist() == [SEP_ID, *range(len(SPECIAL_TOKENS), FIRST_ENGLISH), ITSELF]


def test_a_sentence_may_say_its_translation_and_hardly_another_word(invented: Shortlist):
    pairs = InventedPairs(50)
    for i in range(len(pairs)):
        src, tgt = pairs.src(i).tolist(), pairs.tgt(i).tolist()
        allowed = invented.allowed(torch.tensor([[*src, SEP_ID]]), None)[0]
        assert allowed[[*src, *tgt, SEP_ID]].all() and allowed[invented.common].all()
        assert allowed.sum() <= len(invented.common) + 4 * len(src)
        assert not allowed[[PAD_ID, UNK_ID, CLS_ID]].any()


def test_a_token_that_was_never_seen_and_padding_allow_no_word(invented: Shortlist):
    for id in (UNSEEN, ITSELF, PAD_ID, SEP_ID):
        assert set(invented.candidates[id].tolist()) == {SEP_ID}
    row, word = [FIRST_ENGLISH, SEP_ID], [FIRST_ENGLISH + 1, FIRST_ENGLISH + 2, SEP_ID]
    together = invented.allowed(torch.tensor([[*row, PAD_ID], word]), None)
    assert torch.equal(together[0], invented.allowed(torch.tensor([row]), None)[0])
    assert torch.equal(together[1], invented.allowed(torch.tensor([word]), None)[0])


def test_a_vocabulary_smaller_than_the_numbers_asked_for_is_listed_whole():
    pairs = InventedPairs(20)
    found = learn_shortlist(pairs, VOCAB, num_candidates=10 * VOCAB, num_common=10 * VOCAB)
    assert found.candidates.shape == (VOCAB, VOCAB)
    for i in range(len(pairs)):
        assert found.allowed(torch.tensor([pairs.src(i).tolist()]), None)[0, pairs.tgt(i).tolist()].all()


def test_a_batch_decodes_as_its_sentences_do_alone_with_a_learnt_shortlist(invented: Shortlist):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(ModelConfig(VOCAB, 16, 2, 1, 1, 16, max_length=64)).eval()
    engine = FlatEngine(model, "float32", invented, script=False)
    sources = [InventedPairs(8).src(i).tolist() for i in range(8)] + [[UNSEEN] * 9]
    for options in (SearchOptions(), SearchOptions(num_beams=3, num_hypotheses=3)):
        for source, together in zip(sources, search_batch(engine, sources, options), strict=True):
            (alone,) = search_batch(engine, [source], options)
            assert [each.ids for each in together] == [each.ids for each in alone]


# The stage


@pytest.fixture(scope="module")
def copy(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed grammar, for the stage to put a shortlist beside"""
    return Path(shutil.copytree(packed, tmp_path_factory.mktemp("shortlist") / "packed"))


@pytest.fixture(scope="module")
def learnt(copy: Path) -> Shortlist:
    assert main([str(copy), "--candidates", "6", "--common", "10"]) == 0
    return load_shortlist(copy, Tokenizer.load(copy / "tokenizer.json").vocab_size)


def test_the_stage_learns_the_words_of_the_grammar(learnt: Shortlist, copy: Path):
    tokenizer, found, forbidden = Tokenizer.load(copy / "tokenizer.json"), [], []
    words = SUBJECTS | VERBS | OBJECTS | TIMES
    for english in words:
        allowed = learnt.allowed(torch.tensor([tokenizer.encode(f" {english}")]), None)[0]
        for other, malay in words.items():
            share = allowed[tokenizer.encode(f" {malay}")].float().mean()
            (found if other == english else forbidden).append(share)
    assert np.mean(found) > 0.9 and np.mean(forbidden) < 0.6


def test_the_stage_lets_sentences_it_has_seen_be_translated(learnt: Shortlist, copy: Path):
    pairs = PackedPairs(copy / "train")
    seen = [learnt.allowed(torch.tensor([pairs.src(i).tolist()]), None)[0][pairs.tgt(i).tolist()] for i in range(100)]
    assert torch.cat(seen).float().mean() > 0.95


def test_the_stage_learns_the_same_again(learnt: Shortlist, copy: Path):
    again = learn_shortlist(PackedPairs(copy / "train"), len(learnt.candidates), num_candidates=6, num_common=10)
    assert torch.equal(again.common, learnt.common) and torch.equal(again.candidates, learnt.candidates)


def test_the_stage_says_how_much_a_sentence_may_say(copy: Path, learnt: Shortlist, capsys: pytest.CaptureFixture[str]):
    assert main([str(copy), "--candidates", "6", "--common", "10"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    said, size = (int(number) for number in re.findall(r"\d+", line))
    assert len(learnt.common) < said < size == len(learnt.candidates)


@pytest.mark.parametrize("arguments", [["--candidates", "0"], ["--common", "0"], ["--common", "-3"]])
def test_numbers_that_cannot_be_are_refused(packed: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([str(packed), *arguments])
    assert "must be at least 1" in capsys.readouterr().err


def test_a_directory_that_was_not_packed_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
