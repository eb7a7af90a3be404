import numpy as np
import pytest

from train.bootstrap import SEED, differences_table, paired_bootstrap
from train.evaluate import METRICS

REFERENCES = [f"Ibu saya akan membeli {i} buah buku di kedai pada waktu pagi." for i in range(40)]


def system(num_faults: int) -> list[str]:
    """The references, the first few of them with half the words missing"""
    return [" ".join(r.split()[::2]) if i < num_faults else r for i, r in enumerate(REFERENCES)]


def test_a_system_does_not_differ_from_itself():
    for difference in paired_bootstrap(system(9), system(9), REFERENCES, METRICS).values():
        assert (difference.delta, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_a_much_better_system_is_so_beyond_chance_and_the_worse_one_is_its_mirror_image():
    better = paired_bootstrap(system(2), system(30), REFERENCES, METRICS)
    worse = paired_bootstrap(system(30), system(2), REFERENCES, METRICS)
    for name, difference in better.items():
        assert difference.p_value < 0.01
        assert 0 < difference.low < difference.delta < difference.high
        assert (worse[name].low, worse[name].high) == (-difference.high, -difference.low)
        assert worse[name].p_value == difference.p_value


def test_one_sentence_more_or_less_may_be_chance():
    for difference in paired_bootstrap(system(9), system(10), REFERENCES, METRICS).values():
        assert difference.delta > 0
        assert difference.p_value > 0.1


def test_draws_are_scored_as_sacrebleu_scores_their_sentences():
    ours, theirs, num_resamples = system(3), system(20), 25
    found = paired_bootstrap(ours, theirs, REFERENCES, METRICS, num_resamples)
    rng = np.random.default_rng(SEED)
    draws = [rng.integers(len(REFERENCES), size=len(REFERENCES)) for _ in range(num_resamples)]
    for name, metric in METRICS.items():

        def score(texts, draw, metric=metric):
            return metric.corpus_score([texts[i] for i in draw], [[REFERENCES[i] for i in draw]]).score

        assert found[name].ours == pytest.approx(metric.corpus_score(ours, [REFERENCES]).score)
        assert found[name].theirs == pytest.approx(metric.corpus_score(theirs, [REFERENCES]).score)
        deltas = [score(ours, draw) - score(theirs, draw) for draw in draws]
        assert (found[name].low, found[name].high) == pytest.approx(tuple(np.percentile(deltas, (2.5, 97.5))))


def test_the_same_sentences_always_give_the_same_figures_and_another_seed_gives_others():
    once, again, other = (
        paired_bootstrap(system(3), system(5), REFERENCES, METRICS, 100, seed) for seed in (SEED, SEED, SEED + 1)
    )
    assert once == again != other


def test_the_table_has_a_row_a_metric():
    lines = differences_table(paired_bootstrap(system(2), system(30), REFERENCES, METRICS)).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| bleu", "| chrf", "| chrf++"]
    assert all(line.count("|") == lines[0].count("|") for line in lines)
