"""Whether one system is better than another or was lucky with the test set: the paired bootstrap (Koehn, 2004).

Sentences are drawn anew, with replacement, as many as there are, and both systems scored on each draw: how the
difference varies among draws is how it would vary among test sets. sacreBLEU's own PairedTest does the same, but its
interval is of either system and not of the difference, and it calls the difference between a system and itself
significant (p = 1 / 1001). So its statistics of sentences are used here, and not its test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sacrebleu.metrics.base import Metric

from train.tables import table

NUM_RESAMPLES = 1000
SEED = 12345
"""sacreBLEU's; the same sentences give the same figures, whenever they are compared"""


@dataclass(frozen=True)
class Difference:
    """Two systems in one metric, on the same sentences."""

    ours: float
    theirs: float
    low: float
    """The 95 % confidence interval of ours minus theirs runs from here"""
    high: float
    """to here"""
    p_value: float
    """How likely so large a difference, in either direction, would be if there were none"""

    @property
    def delta(self) -> float:
        return self.ours - self.theirs


def paired_bootstrap(
    ours: Sequence[str],
    theirs: Sequence[str],
    references: Sequence[str],
    metrics: Mapping[str, Metric],
    num_resamples: int = NUM_RESAMPLES,
    seed: int = SEED,
) -> dict[str, Difference]:
    """The difference between two systems' translations of the same sentences, in each of the metrics.

    The p-value is two-sided: the share of draws whose difference lies at least as far from the mean of all as the
    difference found lies from none, the one found counted among them.
    """
    rng = np.random.default_rng(seed)
    num = len(references)
    # (resamples, sentences): how often each draw has each sentence
    draws = np.stack([np.bincount(rng.integers(num, size=num), minlength=num) for _ in range(num_resamples)])
    differences = {}
    for name, metric in metrics.items():
        found, drawn = zip(*(_scores(metric, system, references, draws) for system in (ours, theirs)), strict=True)
        deltas = drawn[0] - drawn[1]
        low, high = np.percentile(deltas, (2.5, 97.5))
        as_far = np.abs(deltas - deltas.mean()) >= abs(found[0] - found[1])
        p_value = (1 + as_far.sum()) / (1 + num_resamples)
        differences[name] = Difference(*found, float(low), float(high), float(p_value))
    return differences


def _scores(
    metric: Metric, translations: Sequence[str], references: Sequence[str], draws: np.ndarray
) -> tuple[float, np.ndarray]:
    """A system's score on all sentences, and on each draw, (resamples,)"""
    # A metric of a corpus is one of sums over its sentences, so a draw needs no text.
    statistics = np.array(metric._extract_corpus_statistics(translations, [references]), np.float64)
    drawn = [metric._compute_score_from_stats(sums).score for sums in draws @ statistics]
    return metric._compute_score_from_stats(statistics.sum(0)).score, np.array(drawn)


def differences_table(differences: Mapping[str, Difference]) -> str:
    """A row a metric, in Markdown"""
    header = ("metric", "this", "other", "difference", "95 % interval", "p")
    rows = (
        (
            name,
            f"{d.ours:.2f}",
            f"{d.theirs:.2f}",
            f"{d.delta:+.2f}",
            f"{d.low:+.2f} to {d.high:+.2f}",
            f"{d.p_value:.3f}",
        )
        for name, d in differences.items()
    )
    return table(header, rows)
