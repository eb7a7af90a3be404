"""A run goes on exactly after it was stopped, killed or cut short while writing, and learns to translate."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from malaygpt import Translator
from malaygpt.model import PRESETS
from train import fit
from train.config import FitConfig
from train.state import checkpoints, read_position
from train.trainer import Trainer

OPTIONS = ["--preset", "tiny", "--epochs", "3", "--tokens-per-batch", "256", "--warmup-steps", "10"]
QUICK = ["--log-every", "3", "--num-samples", "0", "--threads", "1"]
"""Three does not divide an epoch: a line's mean reaches over its end, and over a kill."""


def losses(run: Path) -> list[tuple[int, float]]:
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(record["step"], record["loss"]) for record in records if "loss" in record]


def final_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoints(run)[-1] / "model.safetensors")


@pytest.fixture(scope="module")
def whole(packed, tmp_path_factory) -> Path:
    """A run that was never stopped"""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert fit.main([str(packed), "--out", str(run), *OPTIONS, *QUICK]) == 0
    return run


def test_a_checkpoint_stands_at_the_end_of_every_epoch(whole):
    positions = [read_position(path) for path in checkpoints(whole)]
    assert [position.epoch for position in positions] == [1, 2, 3]
    assert not any(position.inside_epoch for position in positions)


def test_every_checkpoint_can_be_used_and_the_newest_resumed(whole):
    for path in checkpoints(whole):
        Translator.load(path).translate("I like the fish.")
    assert [(path / "training.pt").exists() for path in checkpoints(whole)] == [False, False, True]


def test_every_epoch_is_validated(whole):
    records = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    validations = [record for record in records if "validation_loss" in record]
    assert [record["epoch"] for record in validations] == [1, 2, 3]
    assert all({"bleu", "chrf"} <= record.keys() for record in validations)
    assert validations[-1]["validation_loss"] < validations[0]["validation_loss"]


def run_until(command: list[str], log: Path, step: int) -> None:
    """Starts a run and kills it, as a power cut would, once its log has come to a step."""
    process = subprocess.Popen([sys.executable, "-m", "train.fit", *command], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not log.exists() or f'"step": {step // 3 * 3},' not in log.read_text():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()


def test_a_run_killed_again_and_again_ends_as_if_it_never_was(packed, whole, tmp_path):
    run = tmp_path / "run"
    num_steps = losses(whole)[-1][0]
    # With a checkpoint after every step, a kill falls before, after and in the middle of writing one.
    command = [str(packed), "--out", str(run), *QUICK, "--save-every", "0"]
    run_until([*command, *OPTIONS], run / "log.jsonl", num_steps // 5)
    for share in (0.4, 0.6, 0.8):
        run_until([*command, "--resume"], run / "log.jsonl", int(num_steps * share))
    assert fit.main([*command, "--resume"]) == 0
    assert losses(run) == losses(whole)
    ours, theirs = final_weights(run), final_weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_half_written_checkpoint_is_never_taken_for_a_whole_one(packed, whole, tmp_path):
    run = tmp_path / "run"
    partial = run / "checkpoints" / "partial-00000099"
    partial.mkdir(parents=True)
    (partial / "training.pt").write_bytes(b"half")
    assert checkpoints(run) == []
    assert fit.main([str(packed), "--out", str(run), "--resume", *QUICK]) == 2
    assert fit.main([str(packed), "--out", str(run), *OPTIONS, *QUICK]) == 0
    assert losses(run) == losses(whole)


def test_only_the_newest_checkpoint_inside_an_epoch_is_kept(packed, tmp_path):
    run = tmp_path / "run"
    run_until([str(packed), "--out", str(run), *OPTIONS, *QUICK, "--save-every", "0"], run / "log.jsonl", 12)
    inside = [path for path in checkpoints(run) if read_position(path).inside_epoch]
    assert 1 <= len(inside) <= 2  # two only if it was killed between writing the new and removing the old


def test_resuming_restores_weights_and_not_the_optimizer_alone(packed, whole):
    """The tutorial's resumption brought back the optimizer and trained on from random weights."""
    trainer = Trainer(packed, whole, FitConfig.load(whole / "fit.json"))
    fresh = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.resume()
    assert trainer.position.epoch == 3
    assert any(not torch.equal(fresh[name], tensor) for name, tensor in trainer.model.state_dict().items())
    stored = final_weights(whole)
    assert all(torch.equal(stored[name], tensor) for name, tensor in trainer.averaged.state_dict().items())
    assert trainer.optimizer.state_dict()["state"]


def test_a_run_is_resumed_on_its_own_pairs_only(packed, whole, tmp_path, capsys):
    other = tmp_path / "packed"
    shutil.copytree(packed, other)
    (other / "corpus.json").write_text("{}")
    assert fit.main([str(other), "--out", str(whole), "--resume"]) == 2
    assert "same pairs" in capsys.readouterr().err


def test_what_a_kill_left_behind_is_cleared_away(packed, whole):
    left = whole / "checkpoints" / "partial-step-00000007"
    left.mkdir()
    (left / "training.pt").write_bytes(b"half")
    assert fit.main([str(packed), "--out", str(whole), "--resume", *QUICK]) == 0
    assert not left.exists()


@pytest.mark.parametrize("option", ["--log-every=0", "--save-every=-1", "--num-samples=-1"])
def test_a_rhythm_that_makes_no_sense_is_refused(packed, tmp_path, capsys, option):
    assert fit.main([str(packed), "--out", str(tmp_path / "run"), *OPTIONS, option]) == 2
    assert option[2:5] in capsys.readouterr().err


def test_sentences_longer_than_the_model_are_refused_at_the_start(packed, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", {**PRESETS["tiny"], "max_length": 8})
    with pytest.raises(ValueError, match="--max-length"):
        Trainer(packed, tmp_path, FitConfig(preset="tiny"))


def test_a_run_is_not_overwritten_nor_changed_by_mistake(packed, whole, capsys):
    assert fit.main([str(packed), "--out", str(whole), *OPTIONS]) == 2
    assert "--resume" in capsys.readouterr().err
    assert fit.main([str(packed), "--out", str(whole), "--resume", "--learning-rate", "1"]) == 2
    assert "only --epochs may change" in capsys.readouterr().err


def test_resuming_nothing_is_refused_in_one_line(packed, tmp_path, capsys):
    assert fit.main([str(packed), "--out", str(tmp_path / "none"), "--resume"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_diverging_run_stops_and_says_so(packed, tmp_path, capsys):
    command = [str(packed), "--out", str(tmp_path / "run"), *OPTIONS, *QUICK, "--warmup-steps", "1"]
    assert fit.main([*command, "--learning-rate", "1e30"]) == 2
    assert "lower --learning-rate" in capsys.readouterr().err


def test_the_rate_warms_up_stays_and_decays():
    config = FitConfig(learning_rate=1.0, warmup_steps=10, decay_share=0.4)
    assert config.rate(1, 0.0) == pytest.approx(0.1)
    assert config.rate(10, 0.1) == config.rate(500, 0.6) == 1.0
    assert config.rate(800, 0.8) == pytest.approx(0.5)
    assert config.rate(1000, 0.999) == pytest.approx(0.0025)


@pytest.mark.parametrize("field", ["epochs", "dropout", "learning_rate"])
def test_a_config_that_makes_no_sense_is_refused(field):
    with pytest.raises(ValueError, match=field):
        FitConfig(**{field: -1})


def test_a_tiny_transformer_learns_to_translate_the_grammar(data, trained):
    """The whole pipeline: sentences that were kept from it come out right, through the app's own Translator."""
    translator = Translator.load(checkpoints(trained)[-1])
    held_out = [line.split("\t") for line in (data / "eval.tsv").read_text().splitlines()]
    right = sum(translator.translate(english) == malay for english, malay in held_out)
    assert right >= 0.9 * len(held_out)
