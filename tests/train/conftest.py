"""The pipeline's first stages, run once on the small grammar, for every test that needs a packed corpus."""

import gzip
from pathlib import Path

import pytest

from tests.train.grammar import pairs
from train import corpus, vocabulary
from train.config import FitConfig
from train.trainer import Trainer


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A directory of TSV files as users have them: two sources, tiers, and an evaluation set kept beside them."""
    directory = tmp_path_factory.mktemp("data")
    lines = [f"{english}\t{malay}\n" for english, malay in pairs()]
    (directory / "eval.tsv").write_text("".join(lines[::10]))
    folder = directory / "pairs"
    folder.mkdir()
    with gzip.open(folder / "morning.tsv.gz", "wt") as file:
        file.writelines(lines[::2])
    (folder / "evening.tsv").write_text("".join(lines[1::2]))
    (folder / "sources.tsv").write_text("source\ttier\tpairs\nmorning\t1\t200\nevening\t2\t200\n")
    return directory


@pytest.fixture(scope="session")
def packed(data, tmp_path_factory) -> Path:
    """The packed corpus of that data"""
    directory = tmp_path_factory.mktemp("run")
    exclude = str(data / "eval.tsv")
    command = [str(data / "pairs"), "--out", str(directory / "corpus"), "--exclude", exclude, "--num-validation", "30"]
    assert corpus.main(command) == 0
    assert vocabulary.main([str(directory / "corpus"), "--out", str(directory / "packed"), "--size", "400"]) == 0
    return directory / "packed"


@pytest.fixture(scope="session")
def trained(packed, tmp_path_factory) -> Path:
    """A run in which a tiny Transformer has learnt the grammar"""
    return learn(packed, tmp_path_factory.mktemp("trained"))


def learn(packed: Path, run: Path, epochs: int = 60) -> Path:
    """Trains a tiny Transformer until it knows a packed corpus of the grammar; returns its run."""
    config = FitConfig(
        preset="tiny", epochs=epochs, tokens_per_batch=512, learning_rate=5e-3, warmup_steps=50, average_decay=0.98
    )
    trainer = Trainer(packed, run, config)
    while trainer.position.epoch < config.epochs:
        for _ in trainer.steps(trainer.plan()):
            trainer.unlogged.clear()
    trainer.save()
    (run / "fit.json").write_text(config.to_json())
    (run / "corpus.json").write_text((packed / "corpus.json").read_text())
    return run
