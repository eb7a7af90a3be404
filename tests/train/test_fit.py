"""A run goes on exactly after it was stopped, killed or cut short while writing, and learns to translate."""

import contextlib
import json
import multiprocessing
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from malaygpt import Translator
from malaygpt.model import PRESETS, ModelConfig, build_model
from tests.train.grammar import pairs as grammar_pairs
from train import fit
from train.average import MovingAverage
from train.config import FitConfig
from train.loss import batch_loss
from train.origin import Leg, read_origin
from train.state import MOMENTS, checkpoints, read_position
from train.trainer import FAILED, Trainer, compile_blocks

OPTIONS = ["--preset", "tiny", "--epochs", "3", "--tokens-per-batch", "256", "--warmup-steps", "10"]
QUICK = ["--log-every", "3", "--num-samples", "0", "--threads", "1"]
"""Three does not divide an epoch: a line's mean reaches over its end, and over a kill."""

ROUNDS = 20

KILLABLE = multiprocessing.get_context("forkserver")
"""Starts processes from one that has imported everything: a start is a tenth of a second and not several."""
KILLABLE.set_forkserver_preload(["train.fit", "torch._dynamo"])


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


def run_until(command: list[str], moment: Callable[[], bool], delay: float = 0.0) -> None:
    """Starts a run and kills it, as a power cut would, some seconds after a moment has come."""
    process = KILLABLE.Process(target=fit.main, args=(command,))
    process.start()
    deadline = time.monotonic() + 120
    while not moment():
        assert process.is_alive(), "it ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    process.join()


def saved_step(run: Path) -> int:
    return max((int(path.name[5:]) for path in checkpoints(run)), default=0)


def equal_weights(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_killed_in_twenty_rounds_ends_as_if_it_never_was(packed, whole, tmp_path):
    """With a checkpoint after every step, a kill falls before, after and in the middle of writing one, and while the
    run is being read."""
    run, rng, num_steps = tmp_path / "run", random.Random(0), losses(whole)[-1][0]
    command = [str(packed), "--out", str(run), *QUICK, "--save-every", "0"]
    run_until([*command, *OPTIONS], lambda: saved_step(run) > 0)
    for number in range(1, ROUNDS):
        # Every fourth is killed while it starts, the others at some moment of a step.
        goal, delay = (0, rng.uniform(0, 0.3)) if number % 4 == 0 else (num_steps * number // 24, rng.uniform(0, 0.05))
        run_until([*command, "--resume"], lambda goal=goal: saved_step(run) >= goal, delay)
    assert saved_step(run) < num_steps, "it was over before the last kill"
    assert fit.main([*command, "--resume"]) == 0
    assert losses(run) == losses(whole)
    assert equal_weights(final_weights(run), final_weights(whole))
    for moment in sorted((whole / MOMENTS).iterdir()):
        theirs = load_file(moment / "model.safetensors")
        assert equal_weights(load_file(run / MOMENTS / moment.name / "model.safetensors"), theirs)


def test_moments_are_kept_close_together_at_first(whole):
    """Each a checkpoint that can be used"""
    names = sorted(path.name for path in (whole / MOMENTS).iterdir())
    assert names == ["step-00000000", "step-00000010", "step-00000020", "step-00000050"]
    for name in names:
        Translator.load(whole / MOMENTS / name).translate("I like the fish.")


def test_a_moment_that_is_there_is_not_written_again(packed, whole, tmp_path):
    run = tmp_path / "run"
    command = [str(packed), "--out", str(run), *OPTIONS, *QUICK]
    run_until(command, lambda: (run / MOMENTS / "step-00000010").exists())
    kept = {path: path.stat().st_ino for path in (run / MOMENTS).glob("step-*")}
    assert fit.main([*command]) == 0  # no checkpoint yet: from the beginning
    assert all(path.stat().st_ino == inode for path, inode in kept.items())
    assert len(list((run / MOMENTS).iterdir())) == 4


def test_muon_trains_and_goes_on_exactly_after_a_kill(packed, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    options = [*OPTIONS, "--optimizer", "muon", "--epochs", "1"]
    assert fit.main([str(packed), "--out", str(whole), *options, *QUICK]) == 0
    command = [str(packed), "--out", str(run), *QUICK, "--save-every", "0"]
    run_until([*command, *options], lambda: saved_step(run) >= 7)
    assert fit.main([*command, "--resume"]) == 0
    assert losses(run) == losses(whole)
    assert equal_weights(final_weights(run), final_weights(whole))
    assert losses(whole)[-1][1] < losses(whole)[0][1]


def test_a_run_from_when_merges_could_be_undone_goes_on_if_none_were(packed, whole, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    fields = json.loads((run / "fit.json").read_text())
    (run / "fit.json").write_text(json.dumps({**fields, "merge_dropout": 0.1}))
    assert fit.main([str(packed), "--out", str(run), "--resume", *QUICK]) == 2
    assert "the option merge_dropout is gone" in capsys.readouterr().err
    (run / "fit.json").write_text(json.dumps({**fields, "merge_dropout": 0.0}))
    assert fit.main([str(packed), "--out", str(run), "--resume", *QUICK]) == 0
    assert (run / "fit.json").read_bytes() == (whole / "fit.json").read_bytes()


def test_muon_has_the_matrices_and_adamw_the_rest(packed, tmp_path):
    trainer = Trainer(packed, tmp_path, FitConfig(preset="tiny", optimizer="muon"))
    next(trainer.steps(trainer.plan()))
    muon, adamw = trainer.optimizer.state_dict()
    states = [state for optimizer in (muon, adamw) for state in optimizer["state"].values()]
    assert len(states) == len(list(trainer.model.parameters()))
    assert all(state["momentum_buffer"].dim() == 2 for state in muon["state"].values())
    assert trainer.model.embedding.weight.shape in [state["exp_avg"].shape for state in adamw["state"].values()]


def test_an_optimizer_that_is_not_there_is_refused(packed, tmp_path, capsys):
    assert fit.main([str(packed), "--out", str(tmp_path), *OPTIONS, "--optimizer", "sgd"]) == 2
    assert "adamw, muon" in capsys.readouterr().err


def test_a_run_can_start_from_the_weights_of_a_checkpoint(packed, whole, tmp_path):
    trainer = Trainer(packed, tmp_path, FitConfig(preset="tiny"))
    trainer.start_from(checkpoints(whole)[-1])
    assert equal_weights(dict(trainer.model.state_dict()), final_weights(whole))
    assert equal_weights(dict(trainer.averaged.state_dict()), final_weights(whole))
    command = [str(packed), "--out", str(tmp_path / "run"), *OPTIONS, *QUICK, "--epochs", "1"]
    assert fit.main([*command, "--start-from", str(checkpoints(whole)[-1])]) == 0
    assert losses(tmp_path / "run")[0][1] < losses(whole)[0][1] - 0.5


def test_a_run_says_what_runs_its_weights_came_from(packed, whole, tmp_path):
    command = [str(packed), *OPTIONS[:2], *QUICK, "--epochs", "1", "--tokens-per-batch", "512"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert fit.main([*command, "--out", str(first), "--start-from", str(checkpoints(whole)[0])]) == 0
    assert fit.main([*command, "--out", str(second), "--start-from", str(checkpoints(first)[-1])]) == 0
    assert read_origin(whole) == []
    oldest, newest = read_origin(second)
    assert [oldest] == read_origin(first)
    assert oldest == Leg(FitConfig.load(whole / "fit.json"), read_position(checkpoints(whole)[0]))
    assert newest == Leg(FitConfig.load(first / "fit.json"), read_position(checkpoints(first)[-1]))
    assert oldest.position.epoch == 1 and "1 epochs, with AdamW at a peak learning rate of 0.001" in oldest.line


def test_weights_of_unknown_making_are_called_that(packed, whole, tmp_path):
    bundle = shutil.copytree(checkpoints(whole)[-1], tmp_path / "bundle" / "checkpoints" / "x")
    command = [str(packed), "--out", str(tmp_path / "run"), *OPTIONS[:2], *QUICK, "--epochs", "1"]
    assert fit.main([*command, "--start-from", str(bundle)]) == 0
    (leg,) = read_origin(tmp_path / "run")
    assert leg.line == "a run that is not known"


def test_weights_of_another_shape_or_tokenizer_are_refused(packed, whole, checkpoint, tmp_path, capsys):
    command = [str(packed), "--out", str(tmp_path / "run"), *OPTIONS, *QUICK]
    assert fit.main([*command, "--start-from", str(checkpoint)]) == 2
    assert "another shape" in capsys.readouterr().err
    other = shutil.copytree(checkpoints(whole)[-1], tmp_path / "other")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    (a, b), (i, j) = zip(*list(vocabulary.items())[-2:], strict=True)
    tokenizer["model"]["vocab"] = {**vocabulary, a: j, b: i}
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert fit.main([*command, "--start-from", str(other)]) == 2
    assert "another tokenizer" in capsys.readouterr().err
    assert fit.main([*command, "--start-from", str(tmp_path / "none")]) == 2
    assert "no checkpoint directory" in capsys.readouterr().err


@pytest.mark.parametrize("full_at", ["model.safetensors", "training.pt"])
def test_when_the_disk_is_full_the_old_checkpoint_stays_whole(packed, whole, tmp_path, full_at):
    """The limit on the size of a file is the kernel's: writing past it fails as on a full disk."""
    run = shutil.copytree(whole, tmp_path / "run")
    before = {path: path.read_bytes() for path in checkpoints(run)[-1].iterdir()}
    room = (checkpoints(run)[-1] / full_at).stat().st_size - 1000
    command = [sys.executable, "-m", "train.fit", str(packed), "--out", str(run), "--resume", "--epochs", "4", *QUICK]
    ran = subprocess.run(
        command,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 2
    *_, line = ran.stderr.strip().splitlines()
    assert line.startswith("train.fit: ")
    assert "could not be written" in line
    assert "Traceback" not in ran.stderr
    assert {path: path.read_bytes() for path in checkpoints(run)[-1].iterdir()} == before
    assert not list((run / "checkpoints").glob("partial-*"))
    assert fit.main([str(packed), "--out", str(run), "--resume", *QUICK]) == 0
    assert len(checkpoints(run)) == 4


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
    command = [str(packed), "--out", str(run), *OPTIONS, *QUICK, "--save-every", "0"]
    run_until(command, lambda: saved_step(run) >= 12)
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
    assert all(state["state"] for state in trainer.optimizer.state_dict())


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
    assert "only --epochs and --tokens-at-once may change" in capsys.readouterr().err


def test_resuming_nothing_is_refused_in_one_line(packed, tmp_path, capsys):
    assert fit.main([str(packed), "--out", str(tmp_path / "none"), "--resume"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_diverging_run_stops_and_saves_the_batch(packed, tmp_path, capsys):
    run = tmp_path / "run"
    command = [str(packed), "--out", str(run), *OPTIONS, *QUICK, "--warmup-steps", "1", "--save-every", "0"]
    assert fit.main([*command, "--learning-rate", "1e30"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "lower --learning-rate" in error
    assert FAILED in error
    report = json.loads((run / FAILED).read_text())
    assert report["step"] == report["position"]["step"] + 1 == saved_step(run) + 1
    assert report["last_checkpoint"] == checkpoints(run)[-1].name
    assert not np.isfinite(float(report["loss"]) + float(report["gradient_norm"]))
    trainer = Trainer(packed, run, FitConfig.load(run / "fit.json"))
    assert [pair["index"] for pair in report["pairs"]] == trainer.plan(0)[report["position"]["batch"]].tolist()
    assert {(pair["english"], pair["malay"]) for pair in report["pairs"]} <= set(grammar_pairs())
    weights = torch.load(checkpoints(run)[-1] / "training.pt", weights_only=True)["model"]
    assert all(tensor.isfinite().all() for tensor in weights.values())


def poisoned(packed: Path, run: Path) -> Trainer:
    """Three steps into a run, one weight overflows."""
    trainer = Trainer(packed, run, FitConfig(preset="tiny", tokens_per_batch=256, warmup_steps=10))
    for _ in trainer.steps(trainer.plan()[:3]):
        pass
    with torch.no_grad():
        trainer.model.encoder.norm.gain[0] = torch.inf
    return trainer


def test_no_weight_is_changed_by_a_loss_that_is_not_a_number(packed, tmp_path):
    trainer = poisoned(packed, tmp_path)
    trainer.position = type(trainer.position)(3, 0, 3)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    with pytest.raises(FloatingPointError, match="Step 4"):
        next(trainer.steps(trainer.plan()))
    assert equal_weights(dict(trainer.model.state_dict()), before)
    assert all(tensor.isfinite().all() for tensor in trainer.averaged.state_dict().values())


@pytest.mark.parametrize("act", ["save", "read_losses", "validate"])
def test_losses_that_are_read_late_stop_the_run_before_anything_is_kept(packed, tmp_path, act):
    """As on a GPU, which would have to wait to be asked each step"""
    trainer = poisoned(packed, tmp_path)
    trainer.reads_late = True
    trainer.position = type(trainer.position)(3, 0, 3)
    for _ in trainer.steps(trainer.plan()[:8]):
        pass
    with pytest.raises(FloatingPointError, match="Step 4"):
        trainer.validate(0) if act == "validate" else getattr(trainer, act)()
    assert checkpoints(tmp_path) == []
    assert json.loads((tmp_path / FAILED).read_text())["position"] == {"step": 3, "epoch": 0, "batch": 3}


def test_losses_read_late_are_those_read_each_step(packed, whole, tmp_path):
    trainer = Trainer(packed, tmp_path, FitConfig.load(whole / "fit.json"))
    trainer.reads_late = True
    records = list(trainer.steps(trainer.plan()))
    assert not any("loss" in record for record in records)
    trainer.read_losses()
    means = [float(np.mean([record["loss"] for record in records[i : i + 3]])) for i in range(0, len(records) - 2, 3)]
    assert means == [loss for _, loss in losses(whole)[: len(means)]]


def gradient_in_slices(packed: Path, run: Path, tokens_at_once: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Loss and norm, and the gradient, of a batch whose first sentences are the shortest and last the longest"""
    config = FitConfig(preset="tiny", tokens_per_batch=256, tokens_at_once=tokens_at_once, dropout=0.0)
    trainer = Trainer(packed, run, config)
    indices = np.argsort(trainer.train_pairs.tgt_lengths, kind="stable")[[0, 1, 2, 3, 4, -3, -2, -1]]
    slices = trainer.slices(indices)
    assert len(slices) == trainer.num_slices
    figures = trainer.gradient(slices, sum(part.num_tokens for part in slices))
    return figures, [p.grad for p in trainer.model.parameters()]


@pytest.mark.parametrize("tokens_at_once", [100, 40, 20])
def test_a_step_is_the_same_in_however_many_slices(packed, tmp_path, monkeypatch, tokens_at_once):
    """The last cut leaves slices without a sentence. In float32, where rounding is small."""
    monkeypatch.setattr(torch, "autocast", lambda *_: contextlib.nullcontext())
    figures, gradient = gradient_in_slices(packed, tmp_path, tokens_at_once)
    expected_figures, expected = gradient_in_slices(packed, tmp_path, 0)
    torch.testing.assert_close(figures, expected_figures)
    for ours, theirs in zip(gradient, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_no_slice_is_larger_than_it_may_be(packed, tmp_path):
    trainer = Trainer(packed, tmp_path, FitConfig(preset="tiny", tokens_per_batch=512, tokens_at_once=100))
    shapes = [part.tgt.shape for indices in trainer.plan() for part in trainer.slices(indices)]
    assert max(rows * width - width for rows, width in shapes) <= 100
    assert sum(part.num_tokens for indices in trainer.plan() for part in trainer.slices(indices)) == sum(
        trainer.train_pairs.tgt_lengths[i] + 1 for indices in trainer.plan() for i in indices
    )


def test_every_slice_has_masks_of_its_own_and_the_same_again(packed, tmp_path):
    config = FitConfig(preset="tiny", tokens_per_batch=256, tokens_at_once=128, dropout=0.5)
    trainer = Trainer(packed, tmp_path, config)
    trainer.pool.draw(1)
    (part, _), tokens = trainer.slices(trainer.plan()[0]), 100

    def loss(slices: list) -> float:
        return trainer.gradient(slices, tokens)[0].item()

    nothing = part.without_labels()
    first, second = loss([part, nothing]), loss([nothing, part])
    assert first != second
    assert loss([part, nothing]) == first
    trainer.position = type(trainer.position)(1, 0, 1)
    assert loss([part, nothing]) != first


def test_a_run_may_go_on_in_other_slices(packed, whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    assert (
        fit.main([str(packed), "--out", str(run), "--resume", *QUICK, "--epochs", "4", "--tokens-at-once", "64"]) == 0
    )
    assert FitConfig.load(run / "fit.json").tokens_at_once == 64
    assert losses(run)[-1][0] > losses(whole)[-1][0]


def test_compiling_is_refused_without_a_gpu(packed, tmp_path, capsys):
    assert fit.main([str(packed), "--out", str(tmp_path), *OPTIONS, "--compile"]) == 2
    assert "--compile" in capsys.readouterr().err


def test_compiled_blocks_give_the_same_gradient_and_are_compiled_for_all_widths_at_once(packed, tmp_path):
    """Captured and differentiated as on a GPU; only the last step, the kernels, is left to PyTorch."""
    trainer = Trainer(packed, tmp_path, FitConfig(preset="tiny", tokens_per_batch=512, dropout=0.0))
    plain = trainer.model
    compiled = build_model(plain.config)
    compiled.load_state_dict(plain.state_dict())
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compile_blocks(compiled, backend="aot_eager")
    batches = [trainer.slices(indices)[0] for indices in trainer.plan()[:8]]
    for batch in batches:
        losses = batch_loss(compiled, batch, 0.1), batch_loss(plain, batch, 0.1)
        torch.testing.assert_close(*losses)
        gradients = [
            torch.autograd.grad(loss, list(model.parameters()))
            for loss, model in zip(losses, (compiled, plain), strict=True)
        ]
        for ours, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
    # Once for each kind of block, and once more for batches in which sizes are equal by chance.
    num_shapes = len({(batch.src.shape, batch.tgt.shape) for batch in batches})
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 4 < num_shapes
    assert compiled.state_dict().keys() == plain.state_dict().keys()


def test_the_moving_average_is_torchs():
    torch.manual_seed(0)
    model = build_model(ModelConfig.preset("tiny", 300))
    ours = MovingAverage(model, 0.9)

    def decayed(averages: list[torch.Tensor], weights: list[torch.Tensor], count: torch.Tensor) -> None:
        n = int(count)
        torch._foreach_lerp_(averages, weights, 1 - min(0.9, (1 + n) / (10 + n)))

    theirs = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=decayed)
    for _ in range(30):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        ours.update(model)
        theirs.update_parameters(model)
    assert equal_weights(dict(ours.module.state_dict()), dict(theirs.module.state_dict()))


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
