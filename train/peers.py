"""Published systems that translate English to Malay, beside which a checkpoint's scores are put.

`peers.json` holds their figures as they were published, each with its test set and its source; none was measured here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from train.tables import table

FIGURES = Path(__file__).with_name("peers.json")
HEADER = ("system", "parameters", "BLEU", "chrF", "chrF++", "source of the figures")
METRICS = ("bleu", "chrf", "chrf++")
MISSING = "not published"


@dataclass(frozen=True)
class Peer:
    """A system's figures on one test set; a metric that nobody published is None."""

    system: str
    parameters: str
    """Their number, or where that is not known the size on disk"""
    source: str
    figures: dict[str, float | None]
    """For each of METRICS"""

    @property
    def row(self) -> tuple[str, ...]:
        figures = (MISSING if (f := self.figures[metric]) is None else f"{f:.1f}" for metric in METRICS)
        return self.system, self.parameters, *figures, self.source


def peers_on(test_set: str) -> list[Peer]:
    """The published systems with figures on a test set, which is named as its file without .tsv."""
    return [
        Peer(record["system"], record["parameters"], record["source"], {metric: record[metric] for metric in METRICS})
        for record in json.loads(FIGURES.read_text(encoding="utf-8"))
        if record["test_set"] == test_set
    ]


def peers_table(test_set: str, ours: Mapping[str, float], num_parameters: int) -> str | None:
    """Ours among the published systems, the highest BLEU first, in Markdown; None when the set has no published figure.

    `ours` has a figure for each of METRICS.
    """
    peers = peers_on(test_set)
    if not peers:
        return None
    this = Peer("**this checkpoint**", f"{num_parameters / 1e6:.1f} M", "measured here", dict(ours))
    best_first = sorted([this, *peers], key=lambda peer: -(peer.figures["bleu"] or 0))
    return table(HEADER, (peer.row for peer in best_first))
