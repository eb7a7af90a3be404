"""The fast loop against a slow and obvious one; when decoding ends, what it never says, and what it costs."""

import itertools
import random

import pytest
import torch

from malaygpt.decode import SENTENCES_PER_BATCH, Hypothesis, greedy, greedy_batch, length_bound
from malaygpt.model import Transformer
from malaygpt.tokenizer import CLS_ID, SEP_ID


@pytest.fixture
def sources(model: Transformer) -> list[list[int]]:
    """Of many lengths; the model has never seen them, and ends some and not others."""
    numbers = random.Random(0)
    return [
        [numbers.randrange(SEP_ID + 1, model.config.vocab_size) for _ in range(length)]
        for length in (7, 1, 12, 3, 3, 25, 2, 16, 1, 9)
    ]


@torch.no_grad()
def slow_greedy(model: Transformer, source: list[int]) -> Hypothesis:
    """One sentence; the whole model runs again for every token."""
    ids, log_prob = [], 0.0
    while len(ids) < min(2 * len(source) + 16, model.config.max_length):
        logits = model(torch.tensor([[*source, SEP_ID]]), torch.tensor([[CLS_ID, *ids]]))[0, -1]
        choice = max(range(SEP_ID, model.config.vocab_size), key=lambda id: logits[id].item())
        log_prob += (logits[choice] - logits[SEP_ID:].logsumexp(0)).item()
        if choice == SEP_ID:
            return Hypothesis(tuple(ids), log_prob, True)
        ids.append(choice)
    return Hypothesis(tuple(ids), log_prob, False)


def assert_same(found: Hypothesis, expected: Hypothesis) -> None:
    assert (found.ids, found.complete) == (expected.ids, expected.complete)
    assert found.log_prob == pytest.approx(expected.log_prob, abs=1e-3)


@pytest.fixture
def num_steps(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one, the size of the batch, whenever the model decodes a step"""
    sizes: list[int] = []
    step = model.step

    def counted(ids, cache):
        sizes.append(len(ids))
        return step(ids, cache)

    monkeypatch.setattr(model, "step", counted)
    return sizes


def test_greedy_equals_a_loop_that_runs_the_whole_model_for_every_token(model: Transformer, sources: list[list[int]]):
    hypotheses = greedy_batch(model, sources)
    for source, hypothesis in zip(sources, hypotheses, strict=True):
        assert_same(hypothesis, slow_greedy(model, source))
    assert {hypothesis.complete for hypothesis in hypotheses} == {True, False}
    assert len({hypothesis.ids for hypothesis in hypotheses}) > len(sources) / 2


def test_a_batch_gives_what_its_sentences_give_alone(model: Transformer, sources: list[list[int]]):
    for source, together in zip(sources, greedy_batch(model, sources), strict=True):
        (alone,) = greedy_batch(model, [source])
        assert_same(together, alone)


def test_more_sentences_than_one_batch_holds_come_back_in_their_order(model: Transformer, sources: list[list[int]]):
    few = greedy_batch(model, sources)
    order = [i % len(sources) for i in range(2 * SENTENCES_PER_BATCH + 3)]
    for i, found in zip(order, greedy_batch(model, [sources[i] for i in order]), strict=True):
        assert_same(found, few[i])


def test_no_sentences_are_no_hypotheses(model: Transformer):
    assert greedy_batch(model, []) == []


def test_a_sentence_ends_with_sep_and_sep_is_not_part_of_it(model: Transformer, tokenizer, pairs: dict[str, str]):
    for (english, malay), found in zip(
        pairs.items(), greedy_batch(model, [tokenizer.encode(english) for english in pairs]), strict=True
    ):
        assert found.complete and tokenizer.decode(found.ids) == malay, english
        assert SEP_ID not in found.ids


def test_the_steps_of_a_batch_tell_which_sentence_each_token_belongs_to(model: Transformer, sources: list[list[int]]):
    rebuilt: list[list[int]] = [[] for _ in sources]
    for step in greedy(model, sources):
        assert len(step.rows) == len(step.ids) == len(step.log_probs)
        for row, id in zip(step.rows.tolist(), step.ids.tolist(), strict=True):
            assert SEP_ID not in rebuilt[row]
            rebuilt[row].append(id)
    for ids, source in zip(rebuilt, sources, strict=True):
        expected = slow_greedy(model, source)
        assert ids == [*expected.ids, *[SEP_ID] * expected.complete]


def test_finished_sentences_leave_the_batch(model: Transformer, sources: list[list[int]], num_steps: list[int]):
    hypotheses = greedy_batch(model, sources)
    assert sum(num_steps) == sum(len(hypothesis.ids) + hypothesis.complete for hypothesis in hypotheses)
    assert len(num_steps) == max(len(hypothesis.ids) + hypothesis.complete for hypothesis in hypotheses)


@pytest.mark.parametrize("length", [1, 5, 40, 100])
def test_a_model_that_never_ends_is_stopped_at_a_bound_that_grows_with_the_source(
    untrained_model: Transformer, length: int
):
    with torch.no_grad():
        untrained_model.embedding.weight[SEP_ID] = 0
        untrained_model.decoder.norm.gain.fill_(0)
        untrained_model.decoder.norm.bias.copy_(untrained_model.embedding.weight[7])
    (found,) = greedy_batch(untrained_model, [[5] * length])
    assert not found.complete
    assert set(found.ids) == {7}
    assert len(found.ids) == length_bound(length, untrained_model.config.max_length)


def test_the_bound_grows_with_the_source_and_never_passes_the_table_of_positions():
    bounds = [length_bound(n, 128) for n in range(1, 200)]
    assert all(earlier <= later for earlier, later in itertools.pairwise(bounds))
    assert bounds[0] >= 10 and bounds[40] > 40 and bounds[-1] == max(bounds) == 128


def test_padding_unknown_and_start_are_never_said_even_by_a_model_that_wants_to(untrained_model: Transformer):
    with torch.no_grad():
        untrained_model.embedding.weight[:SEP_ID] *= 20
    sources = [[5, 6, 7], [8] * 9, [30, 20]]
    wanted = untrained_model(torch.tensor([[5, 6, 7, SEP_ID]]), torch.tensor([[CLS_ID]])).argmax()
    assert wanted < SEP_ID
    for found in greedy_batch(untrained_model, sources):
        assert found.ids and min(found.ids) > SEP_ID


def test_closing_the_iterator_stops_the_work(model: Transformer, sources: list[list[int]], num_steps: list[int]):
    steps = greedy(model, sources)
    assert num_steps == []
    for _ in range(3):
        next(steps)
    steps.close()
    assert len(num_steps) == 3
    assert list(steps) == []


def test_log_probabilities_are_those_of_a_distribution(model: Transformer, sources: list[list[int]]):
    for step in greedy(model, sources):
        assert (step.log_probs <= 0).all() and step.log_probs.isfinite().all()


def test_decoding_leaves_nothing_that_remembers_gradients(model: Transformer, sources: list[list[int]]):
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(step.log_probs.requires_grad for step in greedy(model, sources))
    steps = greedy(model, sources)
    next(steps)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_a_source_without_tokens_is_refused(model: Transformer):
    for sources in ([[]], [[5], [], [6]]):
        with pytest.raises(ValueError, match="without tokens"):
            greedy_batch(model, sources)


def test_a_source_that_does_not_fit_the_model_is_refused(model: Transformer):
    most = model.config.max_length - 1  # [SEP] takes a place
    assert len(greedy_batch(model, [[5] * most])) == 1
    with pytest.raises(ValueError, match="65 tokens is longer than the model's max_length, 64"):
        greedy_batch(model, [[5] * (most + 1)])
