import json

import numpy as np
import pytest

from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, Tokenizer
from train.batch import collate
from train.packed import PackedPairs, pack, padded_length, plan_epoch


@pytest.fixture(scope="module")
def train_pairs(packed) -> PackedPairs:
    return PackedPairs(packed / "train")


class Lengths:
    """Stands for a large corpus of which only the lengths matter."""

    def __init__(self, num_pairs: int) -> None:
        rng = np.random.default_rng(0)
        self.src_lengths = np.clip(rng.lognormal(2.5, 0.8, num_pairs), 1, 120).astype(int)
        self.tgt_lengths = np.clip(self.src_lengths * rng.normal(1, 0.1, num_pairs), 1, 120).astype(int)

    def __len__(self) -> int:
        return len(self.src_lengths)


def test_packing_keeps_every_sentence(packed, train_pairs):
    tokenizer = Tokenizer.load(packed / "tokenizer.json")
    lines = [json.loads(line) for line in (packed.parent / "corpus" / "train.jsonl").read_text().splitlines()]
    assert len(lines) == len(train_pairs)
    for index, (source, english, malay) in enumerate(lines):
        assert tokenizer.decode(train_pairs.src(index)) == english
        assert tokenizer.decode(train_pairs.tgt(index)) == malay
        assert train_pairs.sources[train_pairs.source_ids[index]]["name"] == source


def test_packed_arrays_are_memory_mapped(train_pairs):
    assert isinstance(train_pairs.src(0).base, np.memmap)


def test_sentences_over_the_bound_are_dropped_and_counted(packed, tmp_path):
    tokenizer = Tokenizer.load(packed / "tokenizer.json")
    rows = [("a", "I want the fish.", "Saya mahu ikan itu."), ("a", "the fish " * 50, "ikan itu " * 50)]
    assert "1 too long" in pack(rows, tokenizer, tmp_path / "p", 40, {})
    assert len(PackedPairs(tmp_path / "p")) == 1


def test_an_epoch_takes_every_pair_once(train_pairs):
    plan = plan_epoch(train_pairs, np.ones(len(train_pairs)), 256, seed=1, epoch=0)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(train_pairs)))


def test_batches_hold_no_more_tokens_than_allowed_on_either_side(train_pairs):
    for indices in plan_epoch(train_pairs, np.ones(len(train_pairs)), 256, seed=1, epoch=0):
        batch = collate(train_pairs, indices)
        assert max(batch.src.numel(), batch.tgt.numel()) <= 256


def test_padding_is_under_a_tenth():
    pairs = Lengths(50_000)
    plan = plan_epoch(pairs, np.ones(len(pairs)), 4096, seed=1, epoch=0)
    for lengths in (pairs.src_lengths + 1, pairs.tgt_lengths + 1):
        padded = sum(int(padded_length(lengths[batch].max())) * len(batch) for batch in plan)
        assert 1 - lengths.sum() / padded < 0.1


def test_batches_have_few_shapes():
    pairs = Lengths(400_000)
    plan = plan_epoch(pairs, np.ones(len(pairs)), 4096, seed=1, epoch=0)
    assert len({(len(b), int(padded_length(pairs.tgt_lengths[b].max() + 1))) for b in plan}) < len(plan) / 4


def test_the_same_epoch_is_the_same_and_another_is_not(train_pairs):
    def plan(seed: int, epoch: int) -> list[list[int]]:
        return [b.tolist() for b in plan_epoch(train_pairs, np.ones(len(train_pairs)), 256, seed, epoch)]

    assert plan(1, 3) == plan(1, 3)
    assert plan(1, 3) != plan(1, 4)
    assert plan(1, 3) != plan(2, 3)


def test_a_batch_is_shifted_by_one_and_padded_on_the_right(train_pairs):
    batch = collate(train_pairs, np.array([0, 5]))
    for row, index in enumerate((0, 5)):
        src, tgt = train_pairs.src(index).tolist(), train_pairs.tgt(index).tolist()
        assert batch.src[row].tolist()[: len(src) + 1] == [*src, SEP_ID]
        assert batch.tgt[row].tolist()[: len(tgt) + 1] == [CLS_ID, *tgt]
        assert batch.labels[row].tolist()[: len(tgt) + 1] == [*tgt, SEP_ID]
        assert set(batch.labels[row].tolist()[len(tgt) + 1 :]) <= {PAD_ID}


def test_weights_decide_how_often_a_source_is_seen(train_pairs):
    weights = train_pairs.weights(["tier1=2", "evening=0.5"])
    counts = np.zeros(2)
    for epoch in range(20):
        taken = np.concatenate(plan_epoch(train_pairs, weights, 256, 1, epoch))
        names = [train_pairs.sources[i]["name"] for i in train_pairs.source_ids[taken]]
        counts += [names.count("morning"), names.count("evening")]
    sizes = [sum(train_pairs.sources[i]["name"] == n for i in train_pairs.source_ids) for n in ("morning", "evening")]
    assert counts[0] == 20 * 2 * sizes[0]
    assert counts[1] / (20 * sizes[1]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rule", ["nothing=1", "morning=often", "morning", "morning=-1"])
def test_a_weight_that_makes_no_sense_is_refused(train_pairs, rule):
    with pytest.raises(ValueError, match="--weight"):
        train_pairs.weights([rule])
